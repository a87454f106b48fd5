// A thread that is back on its CPU: what it slept in, and for how long.
//
// sched_switch tells when. Not always: a kernel has been seen (6.18 of a cloud's virtual machines) that
// tells no switch away from certain threads, so that one thread's return in 300 went by unseen, and its
// sleep looked like computing. So whoever looks at a running thread (its tick, its next switch, its wait)
// first asks whether it still counts as asleep; when it came back is then told by how long it has run
// since, which the scheduler accounts.
#ifndef LOOPSCOPE_BPF_BACK_H
#define LOOPSCOPE_BPF_BACK_H

#include "wait.bpf.h"

static __always_inline struct ls_call *find_call(struct ls_slot *slot, s64 nr, u64 arg)
{
    for (u32 i = 0; i < LS_CALLS; i++) {
        struct ls_call *c = &slot->calls[i];
        if (c->calls && c->nr == nr && c->args[0] == arg)
            return c;
    }
    return NULL;
}

// The entry with the smallest sum gives way.
static __always_inline struct ls_call *take_call(struct ls_slot *slot)
{
    u32 at = 0;
    u64 least = ~0ULL;
    for (u32 i = 0; i < LS_CALLS; i++) {
        if (slot->calls[i].total_ns < least) {
            least = slot->calls[i].total_ns;
            at = i;
        }
    }
    if (at >= LS_CALLS)
        return NULL;
    struct ls_call *c = &slot->calls[at];
    c->calls = c->total_ns = c->max_ns = 0;
    c->want_stack = 0;
    return c;
}

static __always_inline void copy_args(unsigned long long *to, const struct ls_regs *regs)
{
    to[0] = regs->di;
    to[1] = regs->si;
    to[2] = regs->dx;
    to[3] = regs->r10;
    to[4] = regs->r8;
    to[5] = regs->r9;
}

// The thread slept in a call within its turn.
static __always_inline void note_call(struct ls_slot *slot, u64 slept)
{
    const struct ls_regs *regs = &slot->regs;
    s64 nr = regs->orig_ax;
    if (nr < 0)
        return;
    struct ls_call *c = find_call(slot, nr, regs->di);
    if (!c)
        c = take_call(slot);
    if (!c)
        return;
    c->nr = nr;
    copy_args(c->args, regs);
    c->calls++;
    c->total_ns += slept;
    if (slept > c->max_ns)
        c->max_ns = slept;

    if (slot->top_nr == nr && slot->top_args[0] == regs->di) {
        slot->top_ns += slept;
    } else if (slept > slot->top_ns) {
        slot->top_nr = nr;
        copy_args(slot->top_args, regs);
        slot->top_ns = slept;
    }
}

static __always_inline void account_off(struct ls_slot *slot, u32 kind, u64 off)
{
    if (kind < LS_OFF_N)
        slot->turn.off_ns[kind] += off;
    if (kind == LS_OFF_SYSCALL || kind == LS_OFF_FUTEX)
        note_call(slot, off);
}

static __always_inline void come_back(struct ls_slot *slot, u64 now)
{
    u64 since = slot->off_since;
    WRITE_ONCE(slot->off_seq, (slot->off_seq | 1) + 1);
    barrier(); // whoever reads the stack now must see that it is no longer still
    slot->off_since = 0;
    u32 kind = slot->off_kind;
    u32 at = slot->cur_wait;
    if (at < LS_WAITS)
        slot->waits[at].woke_ns = now;
    slot->cur_wait = -1;
    slot->pending = kind;
    if (slot->run_delay_stale) {
        slot->run_delay_stale = 0;
        slot->run_delay_known = 0;
    }
    if (slot->in_wait) {
        slot->pending = LS_OFF_WAIT;
        if (!exact) {
            begin_turn(slot, now);
            slot->at_return = 1;
        }
    } else if (!slot->trust_kind && at < LS_WAITS) {
        slot->pending = LS_OFF_WAIT;
        clear_turn(slot);
    } else if (in_turn(slot) && since && now > since) {
        account_off(slot, kind, now - since);
    }
    if (kind == LS_OFF_RUNQUEUE && since && now > since && slot->trust_kind)
        hist_add(slot->runqueue_hist, now - since, 1);
}

// Called for a thread that runs. Between two of the scheduler's own ticks what it has run is a little
// more than accounted. Its wait for a CPU was not accounted at such a return and is mixed up with what came
// after: that account is taken up again after its next return. Returns true when a turn was found begun.
static __always_inline bool settle_unseen_return(struct ls_slot *slot, struct task_struct *task,
                                                 u64 now)
{
    if (!(slot->off_seq & 1))
        return false;
    u64 ran = task->se.sum_exec_runtime - slot->ran_ns, since = slot->off_since;
    u64 back = now - since > ran ? now - ran : since;
    bool begun = slot->in_wait && !exact;
    slot->unseen_returns++;
    come_back(slot, back);
    slot->at_return = 0; // its wait may have returned long ago
    slot->run_delay_known = 0;
    slot->run_delay_stale = 1;
    return begun;
}

#endif
