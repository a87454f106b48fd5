// The kernel's own functions that make and end descriptors, by fexit where it loads: whoever makes none
// pays nothing.
//
// Every new descriptor goes through fd_install(), in the thread that gets it, but for dup2(): that is seen at
// its return, as are the calls that end descriptors. (close_fd() and filp_close() have changed their callers
// over the versions; the entry points of the calls have not.)
#ifndef LOOPSCOPE_BPF_FD_INSTALL_H
#define LOOPSCOPE_BPF_FD_INSTALL_H

#include "fd_events.bpf.h"

// The table that this thread uses, when it is the one that is followed; 0 else.
static __always_inline u64 my_table(void)
{
    struct task_struct *task = bpf_get_current_task_btf();
    if ((u32)task->tgid != target)
        return 0;
    u64 files = files_of(task);
    return files && follows(task, files) ? files : 0;
}

// The system call that this thread is in; 0: a worker of io_uring, or not one of 64 bits.
static __always_inline u32 my_call(void)
{
    struct ls_regs *regs = (struct ls_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
    u64 number = 0, cs = 0;
    bpf_probe_read_kernel(&number, sizeof(number), &regs->orig_ax);
    bpf_probe_read_kernel(&cs, sizeof(cs), &regs->cs);
    return cs == USER_CS && (u32)number < HOW_NR ? (u32)number : 0;
}

SEC("?fexit/fd_install")
int BPF_PROG(on_install, unsigned int fd)
{
    u64 files = my_table();
    if (files)
        sync_slot(files, fd, my_call() | HOW_SURE);
    return 0;
}

static __always_inline int on_dup(const struct pt_regs *pt_regs, long ret)
{
    u64 files = my_table(), from = 0, to = 0;
    const struct ls_regs *regs = (const struct ls_regs *)pt_regs;
    if (!files || ret < 0)
        return 0;
    bpf_probe_read_kernel(&from, sizeof(from), &regs->di);
    bpf_probe_read_kernel(&to, sizeof(to), &regs->si);
    if ((u32)from != (u32)to)
        sync_slot(files, ret, my_call() | HOW_SURE);
    return 0;
}

SEC("?fexit/__x64_sys_dup2")
int BPF_PROG(on_dup2, const struct pt_regs *regs, long ret)
{
    return on_dup(regs, ret);
}

SEC("?fexit/__x64_sys_dup3")
int BPF_PROG(on_dup3, const struct pt_regs *regs, long ret)
{
    return on_dup(regs, ret);
}

SEC("?fexit/__x64_sys_close")
int BPF_PROG(on_close, const struct pt_regs *pt_regs)
{
    const struct ls_regs *regs = (const struct ls_regs *)pt_regs;
    u64 files = my_table(), fd = 0;
    if (!files)
        return 0;
    bpf_probe_read_kernel(&fd, sizeof(fd), &regs->di);
    sync_slot(files, fd, HOW_ENDS);
    return 0;
}

SEC("?fexit/__x64_sys_close_range")
int BPF_PROG(on_close_range)
{
    u64 files = my_table();
    if (files)
        sync_all(files, HOW_ALL);
    return 0;
}

// What io_uring closed, where its own event does not load.
SEC("?fexit/__x64_sys_io_uring_enter")
int BPF_PROG(on_uring_enter)
{
    u64 files = my_table();
    if (files)
        sync_all(files, 0);
    return 0;
}

// The first thread may have left for a table of its own, which is then the one to follow.
SEC("?fexit/__x64_sys_unshare")
int BPF_PROG(on_unshare)
{
    my_table();
    return 0;
}

#endif
