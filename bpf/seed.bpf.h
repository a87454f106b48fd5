// The state of threads that were there before us: an iterator run once when a process is added.
#ifndef LOOPSCOPE_BPF_SEED_H
#define LOOPSCOPE_BPF_SEED_H

#include "wait.bpf.h"

static __always_inline u32 state_of(struct task_struct *task)
{
    if (bpf_core_field_exists(task->__state))
        return task->__state;
    return BPF_CORE_READ((struct task_struct___old *)task, state);
}

// Only a slot that has not seen a switch yet is seeded; if the thread moves meanwhile, sched_switch wins.
// One whose state says that it sleeps may still be on its way there: its registers are as good, and its
// next switch puts the rest right.
SEC("iter/task")
int seed(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    if (!task || !perhaps(tid_filter, task->pid))
        return 0;
    struct ls_slot *slot = slot_of(task->pid);
    if (!slot || READ_ONCE(slot->off_seq))
        return 0;
    u32 state = state_of(task);
    if (!state)
        return 0;
    struct ls_regs regs;
    read_regs(task, &regs);
    u64 now = bpf_ktime_get_ns();
    int kind = wait_kind(slot, &regs);
    __builtin_memcpy(&slot->regs, &regs, sizeof(regs));
    slot->off_kind = off_kind(&regs, state);
    slot->prev_state = state;
    slot->off_since = now;
    slot->ran_ns = task->se.sum_exec_runtime;
    if (kind)
        note_wait(slot, kind, &regs, now);
    __sync_val_compare_and_swap(&slot->off_seq, 0, 1);
    return 0;
}

#endif
