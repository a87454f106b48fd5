#include "cause.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "children.h"
#include "fdinfo.h"
#include "locks.h"
#include "procfs.h"
#include "syscalls.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

void cause_clear(struct cause *c)
{
    *c = (struct cause){.fd = SNAP_UNKNOWN, .holder_tid = SNAP_UNKNOWN};
}

static void describe_child(int pid, int tid, int child, struct snap *box, struct cause *ret)
{
    char text[128];
    if (child <= 0)
        child = newest_child(pid, tid);
    if (child_text(child, text, sizeof(text)))
        ret->peer = snap_strdup(box, text);
}

static int child_of_waitid(const uint64_t *args)
{
    return args[0] == P_PID ? (int)args[1] : 0;
}

// The address a connect or sendto names: the socket itself has no peer yet.
static void describe_address(int pid, const uint64_t *args, int which, struct snap *box,
                             struct cause *ret)
{
    char bytes[128];
    uint64_t address = args[which], len = args[which + 1];
    if (!address || !len || ret->peer)
        return;
    if (len > sizeof(bytes))
        len = sizeof(bytes);
    if (target_read(pid, address, bytes, len))
        ret->peer = address_text(box, bytes, len, which == 4 ? "udp" : "tcp");
}

// A poll that is no loop's wait: the resolver's, a client library's. Its first descriptor tells.
static void describe_poll(int pid, const uint64_t *args, struct snap *box, struct cause *ret)
{
    struct pollfd first;
    if (args[1] >= 1 && target_read(pid, args[0], &first, sizeof(first)) && first.fd >= 0)
        fd_describe(pid, first.fd, first.events & POLLOUT, box, ret);
    ret->nonblock_missing = false; // it polls: the descriptor is not what blocks
}

static void describe_path(int pid, const uint64_t *args, int which, struct snap *box,
                          struct cause *ret)
{
    char path[512];
    if (target_string(pid, args[which], path, sizeof(path)))
        ret->path = snap_strdup(box, path);
}

static void describe_call(int pid, int tid, long nr, const uint64_t *args, struct snap *box,
                          struct cause *ret)
{
    switch (nr) {
    case SYS_wait4: describe_child(pid, tid, (int)args[0], box, ret); return;
    case SYS_waitid: describe_child(pid, tid, child_of_waitid(args), box, ret); return;
    case SYS_vfork: describe_child(pid, tid, 0, box, ret); return;
    case SYS_poll:
    case SYS_ppoll: describe_poll(pid, args, box, ret); return;
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2: describe_child(pid, tid, 0, box, ret); break;
    default: break;
    }
    if (syscall_fd_arg(nr) >= 0)
        fd_describe(pid, (int)args[syscall_fd_arg(nr)], syscall_writes(nr), box, ret);
    if (syscall_path_arg(nr) >= 0)
        describe_path(pid, args, syscall_path_arg(nr), box, ret);
    if (syscall_address_arg(nr) >= 0)
        describe_address(pid, args, syscall_address_arg(nr), box, ret);
}

void cause_of_call(int pid, int tid, long nr, const uint64_t *args, struct snap *box,
                   struct cause *ret)
{
    cause_clear(ret);
    ret->syscall = syscall_name(nr) ? syscall_name(nr) : snap_printf(box, "syscall %ld", nr);
    if (syscall_is_lock(nr, args)) {
        ret->kind = CAUSE_LOCK;
        lock_describe(pid, tid, nr, args, box, ret);
        return;
    }
    ret->kind = CAUSE_SYSCALL;
    describe_call(pid, tid, nr, args, box, ret);
}

// Caught between two slices of CPU: what it had more of until now is what it does.
static enum cause_kind kind_when_runnable(const struct probe_split *s)
{
    if (s->cpu_user + s->cpu_kernel <= s->runqueue)
        return CAUSE_RUNQUEUE;
    return s->cpu_user >= s->cpu_kernel ? CAUSE_CPU_USER : CAUSE_CPU_KERNEL;
}

void cause_of_sample(const struct probe_sample *s, struct snap *box, struct cause *ret)
{
    cause_clear(ret);
    if (s->state == 'T' || s->state == 't') {
        ret->kind = CAUSE_STOPPED;
    } else if (s->on_cpu) {
        if (s->kernel_mode && s->syscall >= 0)
            cause_of_call(s->pid, s->tid, s->syscall, s->args, box, ret);
        ret->kind = s->kernel_mode ? CAUSE_CPU_KERNEL : CAUSE_CPU_USER;
    } else if (s->state == 'R') {
        ret->kind = kind_when_runnable(&s->split);
    } else if (s->syscall < 0) {
        ret->kind = CAUSE_PAGE_FAULT;
    } else {
        cause_of_call(s->pid, s->tid, s->syscall, s->args, box, ret);
    }
}

struct time_split split_of_turn(const struct probe_split *s, long top_syscall,
                                const uint64_t *top_args, int64_t top_ns)
{
    struct time_split t = {.cpu_user = s->cpu_user,
                           .cpu_kernel = s->cpu_kernel,
                           .syscall = s->sleep_syscall,
                           .lock = s->sleep_futex,
                           .runqueue = s->runqueue,
                           .page_fault = s->sleep_fault,
                           .stopped = s->stopped};
    if (top_syscall >= 0 && top_syscall != SYS_futex && syscall_is_lock(top_syscall, top_args)) {
        int64_t moved = top_ns < t.syscall ? top_ns : t.syscall;
        t.syscall -= moved;
        t.lock += moved;
    }
    return t;
}

static int64_t *split_field(struct time_split *t, enum cause_kind kind)
{
    switch (kind) {
    case CAUSE_CPU_USER: return &t->cpu_user;
    case CAUSE_CPU_KERNEL: return &t->cpu_kernel;
    case CAUSE_SYSCALL: return &t->syscall;
    case CAUSE_LOCK: return &t->lock;
    case CAUSE_RUNQUEUE: return &t->runqueue;
    case CAUSE_PAGE_FAULT: return &t->page_fault;
    case CAUSE_GC: return &t->gc;
    case CAUSE_STOPPED: return &t->stopped;
    default: return NULL;
    }
}

int64_t split_time(const struct time_split *split, enum cause_kind kind)
{
    struct time_split copy = *split;
    int64_t *field = split_field(&copy, kind);
    return field ? *field : 0;
}

void split_add_sample(struct time_split *split, const struct probe_sample *s, enum cause_kind kind)
{
    int64_t *field = split_field(split, kind);
    if (!field || s->on_cpu || s->state == 'R' || s->off_since_ns <= 0)
        return;
    int64_t since = s->off_since_ns > s->turn_begin_ns ? s->off_since_ns : s->turn_begin_ns;
    int64_t asleep = s->at_ns - since;
    if (kind == CAUSE_LOCK && s->syscall != SYS_futex && split->syscall >= asleep)
        split->syscall -= asleep; // a file lock's sleep was counted as a call's
    if (*field < asleep)
        *field = asleep;
}

// User time, kernel time and the collector's are one answer to "what took it": the program computed. Which of them is
// told is the next question.
static enum cause_kind computing_kind(const struct time_split *t)
{
    if (t->cpu_kernel > t->cpu_user + t->gc)
        return CAUSE_CPU_KERNEL;
    return t->gc > t->cpu_user ? CAUSE_GC : CAUSE_CPU_USER;
}

enum cause_kind split_winner(const struct time_split *split, int64_t duration_ns, double *ret_ratio)
{
    static const enum cause_kind kinds[] = {CAUSE_SYSCALL, CAUSE_LOCK, CAUSE_RUNQUEUE,
                                            CAUSE_PAGE_FAULT, CAUSE_STOPPED};
    enum cause_kind best = computing_kind(split);
    int64_t most = split->cpu_user + split->cpu_kernel + split->gc;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (split_time(split, kinds[i]) > most) {
            best = kinds[i];
            most = split_time(split, kinds[i]);
        }
    }
    if (best == CAUSE_GC)
        most = split->gc;
    else if (best == CAUSE_CPU_USER || best == CAUSE_CPU_KERNEL)
        most = split->cpu_user + split->cpu_kernel;
    *ret_ratio = duration_ns > 0 ? (double)most / (double)duration_ns : 0;
    if (*ret_ratio > 1)
        *ret_ratio = 1;
    return most > 0 ? best : CAUSE_UNKNOWN;
}
