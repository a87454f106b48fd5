// The wait calls themselves: by fentry and fexit where they load, else by tracepoints, kept on (--exact)
// or for a moment only. A wait that finds work at once is seen by these alone.
#ifndef LOOPSCOPE_BPF_CALLS_H
#define LOOPSCOPE_BPF_CALLS_H

#include "back.bpf.h"

static __always_inline struct ls_slot *current_slot(u32 tid)
{
    return perhaps(tid_filter, tid) ? slot_of(tid) : NULL;
}

static __always_inline int wait_entered(void)
{
    struct ls_slot *slot = current_slot((u32)bpf_get_current_pid_tgid());
    if (!slot)
        return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    struct ls_regs regs;
    read_regs(task, &regs);
    int kind = wait_kind(slot, &regs);
    if (!kind)
        return 0;
    u64 now = bpf_ktime_get_ns();
    settle_unseen_return(slot, task, now);
    if (exact || !slot->trust_kind)
        note_wait(slot, kind, &regs, now);
    if (!own_wait(slot, kind, &regs))
        return 0;
    settle_run_delay(slot, task);
    slot->wait_pc = regs.ip;
    enter_wait(slot, now);
    return 0;
}

// A wait of a thread that is not trusted yet, which found work at once.
static __always_inline void leave_candidate(struct ls_slot *slot, u64 now)
{
    u32 at = slot->cur_wait;
    if (at >= LS_WAITS)
        return;
    slot->waits[at].woke_ns = now;
    slot->cur_wait = -1;
    clear_turn(slot);
}

enum { AT_ONCE_NS = 50000 };

static __always_inline int wait_left(long result)
{
    struct ls_slot *slot = current_slot((u32)bpf_get_current_pid_tgid());
    if (!slot)
        return 0;
    if (!slot->trust_kind)
        leave_candidate(slot, bpf_ktime_get_ns());
    if (!slot->in_wait)
        return 0;
    struct ls_regs regs;
    read_regs(bpf_get_current_task_btf(), &regs);
    int kind = wait_kind(slot, &regs);
    if (!own_wait(slot, kind, &regs))
        return 0;
    u64 now = bpf_ktime_get_ns();
    if (!result && slot->idle_since && now - slot->idle_since < AT_ONCE_NS)
        slot->polls_empty++;
    u32 at = slot->cur_wait;
    if (at < LS_WAITS)
        slot->waits[at].woke_ns = now;
    slot->cur_wait = -1;
    begin_turn(slot, now);
    return 0;
}

#define WAIT_CALL(name)                                                                            \
    SEC("?fentry/__x64_sys_" #name)                                                                \
    int BPF_PROG(enter_##name)                                                                     \
    {                                                                                              \
        return wait_entered();                                                                     \
    }                                                                                              \
    SEC("?fexit/__x64_sys_" #name)                                                                 \
    int BPF_PROG(exit_##name, const void *regs, long result)                                       \
    {                                                                                              \
        return wait_left(result);                                                                  \
    }

WAIT_CALL(epoll_wait)
WAIT_CALL(epoll_pwait)
WAIT_CALL(epoll_pwait2)
WAIT_CALL(poll)
WAIT_CALL(ppoll)
WAIT_CALL(select)
WAIT_CALL(pselect6)
WAIT_CALL(io_uring_enter)

// The tracepoints of all system calls rather than those of each wait call: detaching the latter keeps the
// detacher waiting for a second and more. What is no wait call costs a few instructions.
static __always_inline bool may_wait(long nr)
{
    switch (nr) {
    case NR_poll:
    case NR_select:
    case NR_restart_syscall:
    case NR_epoll_wait:
    case NR_pselect6:
    case NR_ppoll:
    case NR_epoll_pwait:
    case NR_io_uring_enter:
    case NR_epoll_pwait2: return true;
    }
    return false;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(trace_enter, const struct ls_regs *regs, long nr)
{
    return may_wait(nr) ? wait_entered() : 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(trace_exit, const struct ls_regs *regs, long result)
{
    return may_wait(regs->orig_ax) ? wait_left(result) : 0;
}

#endif
