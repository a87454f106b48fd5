// sched_switch: the moments at which a watched thread leaves its CPU and comes back.
#ifndef LOOPSCOPE_BPF_SWITCH_H
#define LOOPSCOPE_BPF_SWITCH_H

#include "sample.bpf.h"
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

static __always_inline void call_stack_if_wanted(struct ls_slot *slot, struct task_struct *task,
                                                 u64 now)
{
    if (!slot->want_stacks)
        return;
    struct ls_call *c = find_call(slot, slot->regs.orig_ax, slot->regs.di);
    if (!c || !c->want_stack)
        return;
    c->want_stack = 0;
    slot->want_stacks = 0;
    struct sample_plan plan = {.type = LS_CALL_STACK, .now = now, .kernel_mode = 1};
    emit_sample(slot, &plan, task);
}

static __always_inline void switch_out(struct ls_slot *slot, struct task_struct *task,
                                       u32 next_tgid, u64 now, bool asleep, u32 prev_state)
{
    settle_run_delay(slot, task);
    read_regs(task, &slot->regs);
    u32 off = LS_OFF_RUNQUEUE;
    if (asleep) {
        int kind = wait_kind(slot, &slot->regs);
        off = off_kind(&slot->regs, prev_state);
        if (kind && !exact)
            note_wait(slot, kind, &slot->regs, now);
        if (own_wait(slot, kind, &slot->regs)) {
            slot->wait_pc = slot->regs.ip;
            enter_wait(slot, now);
            off = LS_OFF_WAIT;
        } else if (slot->busy_since) {
            call_stack_if_wanted(slot, task, now);
        }
    } else if (next_tgid) {
        slot->starver_maybe = next_tgid;
    }
    slot->prev_state = asleep ? prev_state : 0;
    slot->off_kind = off;
    WRITE_ONCE(slot->off_since, now);
    barrier(); // regs and off_since are there before the sequence says so
    WRITE_ONCE(slot->off_seq, (slot->off_seq + 1) | 1);
}

static __always_inline void account_off(struct ls_slot *slot, u32 kind, u64 off)
{
    if (kind < LS_OFF_N)
        slot->turn.off_ns[kind] += off;
    if (kind == LS_OFF_SYSCALL || kind == LS_OFF_FUTEX)
        note_call(slot, off);
}

static __always_inline void switch_in(struct ls_slot *slot, struct task_struct *prev, u64 now)
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
    if (prev->pid)
        slot->starver_maybe = prev->tgid;
    slot->pending = kind;
    if (slot->in_wait) {
        slot->pending = LS_OFF_WAIT;
        if (!exact) {
            begin_turn(slot, now);
            slot->at_return = 1;
        }
    } else if (slot->busy_since && since && now > since) {
        account_off(slot, kind, now - since);
    }
    if (kind == LS_OFF_RUNQUEUE && since && now > since && slot->trust_kind)
        hist_add(slot->runqueue_hist, now - since, 1);
}

// `asleep` must be told from the state at the switch: preempt is false also for an involuntary switch on
// the way back to user mode, and the state may have been changed since by a waker.
static __always_inline int handle_switch(bool asleep, struct task_struct *prev,
                                         struct task_struct *next, u32 prev_state)
{
    bool out = perhaps(tid_filter, prev->pid), in = perhaps(tid_filter, next->pid);
    if (!out && !in)
        return 0;
    u64 now = bpf_ktime_get_ns();
    if (out) {
        struct ls_slot *slot = slot_of(prev->pid);
        if (slot)
            switch_out(slot, prev, next->pid ? next->tgid : 0, now, asleep, prev_state);
    }
    if (in) {
        struct ls_slot *slot = slot_of(next->pid);
        if (slot)
            switch_in(slot, prev, now);
    }
    return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next,
             unsigned int prev_state)
{
    return handle_switch(!preempt && prev_state, prev, next, prev_state);
}

// Before 5.18 the state is not an argument.
SEC("?tp_btf/sched_switch")
int BPF_PROG(on_switch_old, bool preempt, struct task_struct *prev, struct task_struct *next)
{
    u32 state;
    if (bpf_core_field_exists(prev->__state))
        state = BPF_CORE_READ(prev, __state);
    else
        state = BPF_CORE_READ((struct task_struct___old *)prev, state);
    return handle_switch(!preempt && state, prev, next, state);
}

#endif
