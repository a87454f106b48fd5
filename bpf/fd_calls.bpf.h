// Which system calls make and end descriptors, seen as each call returns: for kernels that refuse fentry.
// Those that say which descriptor are looked at one by one; after those that may have made any number, the
// tables are compared. Dear to everybody: every process pays at every system call.
#ifndef LOOPSCOPE_BPF_FD_CALLS_H
#define LOOPSCOPE_BPF_FD_CALLS_H

#include "fd_events.bpf.h"

enum call_class {
    CALL_OTHER,
    CALL_RETURNS, // the descriptor, surely a new one
    CALL_MAYBE,   // returns one for some arguments
    CALL_PAIR,    // two, at the first argument
    CALL_PAIR4,   // two, at the fourth
    CALL_CLOSE,
    CALL_DUP2,
    CALL_COMPARE, // any number
    CALL_READ,    // of a fanotify descriptor
    CALL_UNSHARE,
};

enum { // x86-64
    NR_READ = 0,
    NR_OPEN = 2,
    NR_CLOSE = 3,
    NR_IOCTL = 16,
    NR_READV = 19,
    NR_PIPE = 22,
    NR_DUP = 32,
    NR_DUP2 = 33,
    NR_SOCKET = 41,
    NR_ACCEPT = 43,
    NR_RECVMSG = 47,
    NR_SOCKETPAIR = 53,
    NR_GETSOCKOPT = 55,
    NR_CLONE = 56,
    NR_FCNTL = 72,
    NR_CREAT = 85,
    NR_EPOLL_CREATE = 213,
    NR_MQ_OPEN = 240,
    NR_INOTIFY_INIT = 253,
    NR_OPENAT = 257,
    NR_UNSHARE = 272,
    NR_SIGNALFD = 282,
    NR_TIMERFD_CREATE = 283,
    NR_EVENTFD = 284,
    NR_ACCEPT4 = 288,
    NR_SIGNALFD4 = 289,
    NR_EVENTFD2 = 290,
    NR_EPOLL_CREATE1 = 291,
    NR_DUP3 = 292,
    NR_PIPE2 = 293,
    NR_INOTIFY_INIT1 = 294,
    NR_PERF_EVENT_OPEN = 298,
    NR_RECVMMSG = 299,
    NR_FANOTIFY_INIT = 300,
    NR_OPEN_BY_HANDLE_AT = 304,
    NR_SECCOMP = 317,
    NR_MEMFD_CREATE = 319,
    NR_BPF = 321,
    NR_USERFAULTFD = 323,
    NR_IO_URING_SETUP = 425,
    NR_IO_URING_ENTER = 426,
    NR_OPEN_TREE = 428,
    NR_FSOPEN = 430,
    NR_FSMOUNT = 432,
    NR_FSPICK = 433,
    NR_PIDFD_OPEN = 434,
    NR_CLONE3 = 435,
    NR_CLOSE_RANGE = 436,
    NR_OPENAT2 = 437,
    NR_PIDFD_GETFD = 438,
    NR_LANDLOCK_CREATE_RULESET = 444,
    NR_MEMFD_SECRET = 447,
    NR_OPEN_TREE_ATTR = 467,
};

#define F_DUPFD         0
#define F_DUPFD_CLOEXEC 1030
#define SO_PEERPIDFD    77

static __always_inline enum call_class class_of(u32 nr)
{
    switch (nr) {
    case NR_CLOSE: return CALL_CLOSE;
    case NR_OPEN:
    case NR_OPENAT:
    case NR_OPENAT2:
    case NR_CREAT:
    case NR_SOCKET:
    case NR_ACCEPT:
    case NR_ACCEPT4:
    case NR_DUP:
    case NR_EPOLL_CREATE:
    case NR_EPOLL_CREATE1:
    case NR_EVENTFD:
    case NR_EVENTFD2:
    case NR_TIMERFD_CREATE:
    case NR_MEMFD_CREATE:
    case NR_MEMFD_SECRET:
    case NR_PIDFD_OPEN:
    case NR_PIDFD_GETFD:
    case NR_INOTIFY_INIT:
    case NR_INOTIFY_INIT1:
    case NR_FANOTIFY_INIT:
    case NR_PERF_EVENT_OPEN:
    case NR_USERFAULTFD:
    case NR_MQ_OPEN:
    case NR_LANDLOCK_CREATE_RULESET:
    case NR_IO_URING_SETUP:
    case NR_OPEN_BY_HANDLE_AT:
    case NR_OPEN_TREE:
    case NR_OPEN_TREE_ATTR:
    case NR_FSOPEN:
    case NR_FSMOUNT:
    case NR_FSPICK: return CALL_RETURNS;
    case NR_PIPE:
    case NR_PIPE2: return CALL_PAIR;
    case NR_SOCKETPAIR: return CALL_PAIR4;
    case NR_DUP2:
    case NR_DUP3: return CALL_DUP2;
    case NR_FCNTL:
    case NR_IOCTL:
    case NR_BPF:
    case NR_SECCOMP:
    case NR_SIGNALFD:
    case NR_SIGNALFD4: return CALL_MAYBE;
    case NR_RECVMSG:
    case NR_RECVMMSG:
    case NR_CLOSE_RANGE:
    case NR_IO_URING_ENTER:
    case NR_CLONE:
    case NR_CLONE3:
    case NR_GETSOCKOPT: return CALL_COMPARE;
    case NR_READ:
    case NR_READV: return CALL_READ;
    case NR_UNSHARE: return CALL_UNSHARE;
    default: return CALL_OTHER;
    }
}

// One at a time and when it is needed: all of them would take a third of the stack that a program and what it calls may
// have together (512 bytes before Linux 6.13).
static __always_inline u64 register_at(const void *regs, u32 at)
{
    u64 value = 0;
    bpf_probe_read_kernel(&value, sizeof(value), regs + at);
    return value;
}

#define REGISTER(regs, name) register_at(regs, __builtin_offsetof(struct ls_regs, name))

static __always_inline void on_compare(u64 files, const void *regs, long ret, u32 nr)
{
    u64 control = 0;
    if (nr == NR_GETSOCKOPT && REGISTER(regs, dx) != SO_PEERPIDFD)
        return;
    if (nr == NR_RECVMSG &&
        (ret < 0 || bpf_probe_read_user(&control, 8, (const void *)(REGISTER(regs, si) + 40)) ||
         !control))
        return;
    if (nr == NR_CLOSE_RANGE || nr == NR_IO_URING_ENTER || nr == NR_GETSOCKOPT)
        sync_all(files, nr == NR_CLOSE_RANGE ? HOW_ALL : 0);
    else
        sync_all(files, nr);
}

static __always_inline void on_maybe(u64 files, const void *regs, long ret, u32 nr)
{
    u32 command = REGISTER(regs, si);
    if (nr == NR_IOCTL && ret == 0)
        return;
    if (nr == NR_FCNTL && command != F_DUPFD && command != F_DUPFD_CLOEXEC)
        return;
    sync_slot(files, ret, nr == NR_FCNTL ? nr | HOW_SURE : nr);
}

static __always_inline void on_pair(u64 files, u64 address, u32 nr)
{
    u32 pair[2];
    if (bpf_probe_read_user(pair, sizeof(pair), (const void *)address))
        return;
    sync_slot(files, pair[0], nr | HOW_SURE);
    sync_slot(files, pair[1], nr | HOW_SURE);
}

// By the name of its kind: one that came from before us, or from another descriptor.
static __always_inline bool is_fanotify(u64 files, u32 fd)
{
    const struct file *file = (const struct file *)address_of(files, fd);
    const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);
    u64 begins = 0;
    bpf_probe_read_kernel(&begins, sizeof(begins), name);
    return begins == 0x6669746f6e61665b; // "[fanotif"
}

// fanotify hands out descriptors by read.
static __always_inline void on_read(u64 files, u32 fd)
{
    struct ls_fd_slot *slot = fd < descriptors ? bpf_map_lookup_elem(&slots, &fd) : NULL;
    if (!slot)
        return;
    switch (slot->nr) {
    case 0:
    case NR_DUP:
    case NR_DUP2:
    case NR_DUP3:
    case NR_FCNTL:
    case NR_RECVMSG:
    case NR_RECVMMSG:
    case NR_PIDFD_GETFD:
        if (is_fanotify(files, fd))
            sync_all(files, 0);
        return;
    case NR_FANOTIFY_INIT: sync_all(files, 0);
    }
}

static __always_inline void look_at_call(struct task_struct *task, const void *regs, u32 nr,
                                         enum call_class class, long ret)
{
    u64 files = files_of(task);
    if (!files || !follows(task, files))
        return;
    if (class == CALL_CLOSE)
        sync_slot(files, REGISTER(regs, di), nr | HOW_ENDS);
    else if (class == CALL_COMPARE)
        on_compare(files, regs, ret, nr);
    else if (ret < 0)
        return;
    else if (class == CALL_RETURNS)
        sync_slot(files, ret, nr | HOW_SURE);
    else if (class == CALL_DUP2 && REGISTER(regs, di) != REGISTER(regs, si))
        sync_slot(files, ret, nr | HOW_SURE);
    else if (class == CALL_PAIR || class == CALL_PAIR4)
        on_pair(files, class == CALL_PAIR ? REGISTER(regs, di) : REGISTER(regs, r10), nr);
    else if (class == CALL_MAYBE)
        on_maybe(files, regs, ret, nr);
    else if (class == CALL_READ && ret >= 24)
        on_read(files, REGISTER(regs, di));
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(on_return, struct pt_regs *regs, long ret)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if ((u32)task->tgid != target)
        return 0;
    u32 nr = REGISTER(regs, orig_ax);
    enum call_class class = class_of(nr);
    if (class == CALL_OTHER || REGISTER(regs, cs) != USER_CS)
        return 0;
    look_at_call(task, regs, nr, class, ret);
    return 0;
}

#endif
