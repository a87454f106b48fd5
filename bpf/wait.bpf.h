// Wait calls: which system calls they are, which ones a thread sleeps in, and which one is its loop's.
#ifndef LOOPSCOPE_BPF_WAIT_H
#define LOOPSCOPE_BPF_WAIT_H

#include "turn.bpf.h"

enum {
    NR_poll = 7,
    NR_select = 23,
    NR_futex = 202,
    NR_restart_syscall = 219,
    NR_epoll_wait = 232,
    NR_pselect6 = 270,
    NR_ppoll = 271,
    NR_epoll_pwait = 281,
    NR_io_uring_enter = 426,
    NR_epoll_pwait2 = 441,
    NR_futex_waitv = 449,
    NR_futex_wait = 455,
    CS_32BIT = 0x23, // its system calls have other numbers
};

static __always_inline int wait_kind(const struct ls_slot *slot, const struct ls_regs *regs)
{
    if ((regs->cs & 0xffff) == CS_32BIT)
        return LS_WAIT_NONE;
    switch (regs->orig_ax) {
    case NR_epoll_wait:
    case NR_epoll_pwait:
    case NR_epoll_pwait2: return LS_WAIT_EPOLL;
    case NR_poll:
    case NR_ppoll: return LS_WAIT_POLL;
    case NR_select:
    case NR_pselect6: return LS_WAIT_SELECT;
    case NR_io_uring_enter: // waits only with min_complete > 0
        return (u32)regs->dx ? LS_WAIT_URING : LS_WAIT_NONE;
    case NR_restart_syscall: // poll() goes on so after the thread was stopped and continued
        return regs->ip == slot->wait_pc && slot->trust_kind == LS_WAIT_POLL ? LS_WAIT_POLL
                                                                             : LS_WAIT_NONE;
    }
    return LS_WAIT_NONE;
}

static __always_inline bool has_fd(int kind)
{
    return kind == LS_WAIT_EPOLL || kind == LS_WAIT_URING;
}

// A poll has no descriptor: the loop's own is told from a nested one (getaddrinfo in a callback) by its
// depth on the stack.
static __always_inline bool own_wait(struct ls_slot *slot, int kind, const struct ls_regs *regs)
{
    if (!kind || kind != slot->trust_kind)
        return false;
    if (has_fd(kind))
        return (int)regs->di == slot->trust_fd;
    if (regs->sp > slot->trust_sp)
        slot->trust_sp = regs->sp;
    return regs->sp + 256 >= slot->trust_sp;
}

static __always_inline bool same_wait(const struct ls_wait *w, int kind, const struct ls_regs *regs)
{
    if (w->kind != kind)
        return false;
    return has_fd(kind) ? w->fd == (int)regs->di : w->sp == regs->sp;
}

// Remembers the wait among the thread's candidates; the one seen longest ago gives way.
static __always_inline void note_wait(struct ls_slot *slot, int kind, const struct ls_regs *regs,
                                      u64 now)
{
    u32 at = 0;
    u64 oldest = ~0ULL;
    bool found = false;
    for (u32 i = 0; i < LS_WAITS; i++) {
        struct ls_wait *w = &slot->waits[i];
        if (same_wait(w, kind, regs)) {
            at = i;
            found = true;
            break;
        }
        if (w->last_ns < oldest) {
            oldest = w->last_ns;
            at = i;
        }
    }
    if (at >= LS_WAITS)
        return;
    struct ls_wait *w = &slot->waits[at];
    if (!found) {
        w->kind = kind;
        w->fd = has_fd(kind) ? (int)regs->di : -1;
        w->sleeps = 0;
        w->woke_ns = 0;
    }
    w->sp = regs->sp;
    w->pc = regs->ip;
    w->sleeps++;
    w->last_ns = now;
    slot->waits_noted++;
    slot->cur_wait = at;
}

static __always_inline u32 off_kind(const struct ls_regs *regs, u32 prev_state)
{
    if (prev_state & (TASK_STOPPED | TASK_TRACED))
        return LS_OFF_STOPPED;
    switch ((s64)regs->orig_ax) {
    case -1: return LS_OFF_FAULT;
    case NR_futex:
    case NR_futex_waitv:
    case NR_futex_wait: return LS_OFF_FUTEX;
    }
    return LS_OFF_SYSCALL;
}

#endif
