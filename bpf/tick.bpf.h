// What perf events bring: ticks of a CPU, and hits of one thread's breakpoint.
#ifndef LOOPSCOPE_BPF_TICK_H
#define LOOPSCOPE_BPF_TICK_H

#include "back.bpf.h"
#include "sample.bpf.h"

// struct bpf_perf_event_data begins with the registers at the interrupt, in user or kernel mode.
struct bpf_perf_event_data;

static __always_inline u64 interrupted_cs(struct bpf_perf_event_data *ctx)
{
    // The verifier wants the full 8 bytes read at once.
    return *(volatile u64 *)((u8 *)ctx + __builtin_offsetof(struct ls_regs, cs));
}

// Every 10 ms of a CPU on which a trusted thread may run, whoever runs there.
SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
    u32 tid = (u32)bpf_get_current_pid_tgid();
    struct ls_slot *slot = perhaps(tid_filter, tid) ? slot_of(tid) : NULL;
    if (!slot)
        return 0;
    struct task_struct *task = bpf_get_current_task_btf();
    u64 now = bpf_ktime_get_ns();
    settle_unseen_return(slot, task, now);
    if (!slot->busy_since)
        return 0;
    u32 kernel_mode = (interrupted_cs(ctx) & 3) == 0;
    settle_run_delay(slot, task);
    if (kernel_mode)
        slot->ticks_kernel++;
    else
        slot->ticks_user++;
    sample_turn(slot, task, now, kernel_mode);
    return 0;
}

// The thread is about to run the instruction after its wait's system call: one turn has ended and the
// next begins. Hits come in pairs: the first ends a stretch of turns that were not told apart, the second
// shows one exact turn. Returns 1: from 6.10 on the count of IOC_REFRESH is not kept when it is 0.
SEC("perf_event")
int on_breakpoint(struct bpf_perf_event_data *ctx)
{
    struct ls_slot *slot = slot_of((u32)bpf_get_current_pid_tgid());
    if (!slot)
        return 1;
    u32 left = slot->hits_left;
    if (left)
        slot->hits_left = left - 1;
    struct task_struct *task = bpf_get_current_task_btf();
    u64 now = bpf_ktime_get_ns();
    if (settle_unseen_return(slot, task, now))
        return 1;
    struct ls_regs regs;
    read_regs(task, &regs);
    if (has_fd(slot->trust_kind) ? (int)regs.di != slot->trust_fd : regs.sp + 256 < slot->trust_sp)
        return 1;                               // the same instruction, in a nested loop
    if (!slot->busy_since || slot->at_return) { // it slept, so sched_switch has seen this end
        slot->at_return = 0;
        return 1;
    }
    // A first hit long after the arming ends the turn that was watched all the while.
    u64 armed = slot->proof_at;
    if (left < 2 || now - armed >= armed - slot->busy_since)
        end_turn(slot, now);
    else
        end_stretch(slot, now);
    begin_turn(slot, now);
    slot->hit_ns = now;
    return 1;
}

#endif
