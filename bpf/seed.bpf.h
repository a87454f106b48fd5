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

static __always_inline bool has_cpu(struct task_struct *task)
{
    return bpf_core_field_exists(task->on_cpu) ? task->on_cpu : true;
}

// What it waited for a CPU before now is not a wait of the present turn.
static __always_inline void seed_run_delay(struct ls_slot *slot, struct task_struct *task)
{
    if (!bpf_core_field_exists(task->sched_info.run_delay))
        return;
    slot->run_delay = task->sched_info.run_delay;
    slot->run_delay_known = 1;
    slot->pending = LS_OFF_RUNQUEUE;
}

// Only a slot that has not seen a switch yet is seeded; if the thread moves meanwhile, sched_switch wins.
// One whose state says that it sleeps may still be on its way there: its registers are as good, and its
// next switch puts the rest right. One that could run but has no CPU waits for it from now on.
SEC("iter/task")
int seed(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    if (!task || !perhaps(tid_filter, task->pid))
        return 0;
    struct ls_slot *slot = slot_of(task->pid);
    if (!slot || READ_ONCE(slot->off_seq))
        return 0;
    seed_run_delay(slot, task);
    u32 state = state_of(task);
    if (!state && has_cpu(task))
        return 0;
    struct ls_regs regs;
    read_regs(task, &regs);
    u64 now = bpf_ktime_get_ns();
    int kind = wait_kind(slot, &regs);
    __builtin_memcpy(&slot->regs, &regs, sizeof(regs));
    slot->off_kind = state ? off_kind(&regs, state) : LS_OFF_RUNQUEUE;
    slot->prev_state = state;
    slot->off_since = now;
    slot->ran_ns = task->se.sum_exec_runtime;
    if (kind && state)
        note_wait(slot, kind, &regs, now);
    __sync_val_compare_and_swap(&slot->off_seq, 0, 1);
    return 0;
}

#endif
