// sched_switch: the moments at which a watched thread leaves its CPU and comes back.
#ifndef LOOPSCOPE_BPF_SWITCH_H
#define LOOPSCOPE_BPF_SWITCH_H

#include "back.bpf.h"
#include "sample.bpf.h"

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
    settle_unseen_return(slot, task, now);
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
    slot->ran_ns = task->se.sum_exec_runtime;
    slot->off_kind = off;
    WRITE_ONCE(slot->off_since, now);
    barrier(); // regs and off_since are there before the sequence says so
    WRITE_ONCE(slot->off_seq, (slot->off_seq + 1) | 1);
}

static __always_inline void switch_in(struct ls_slot *slot, struct task_struct *prev, u64 now)
{
    if (prev->pid)
        slot->starver_maybe = prev->tgid;
    come_back(slot, now);
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
