// Threads and processes that come and go, of watched processes only.
#ifndef LOOPSCOPE_BPF_LIFE_H
#define LOOPSCOPE_BPF_LIFE_H

#include "turn.bpf.h"

static __always_inline void emit_life(u32 type, int tid, int tgid, int other)
{
    struct ls_life *r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
    if (!r) {
        count_lost(NULL);
        return;
    }
    r->type = type;
    r->tid = tid;
    r->tgid = tgid;
    r->other = other;
    r->now_ns = bpf_ktime_get_ns();
    bpf_ringbuf_submit(r, 0);
}

SEC("tp_btf/task_newtask")
int BPF_PROG(on_newtask, struct task_struct *task, u64 clone_flags)
{
    u32 parent = bpf_get_current_pid_tgid() >> 32;
    if (!process_watched(parent))
        return 0;
    if ((u32)task->tgid == parent)
        emit_life(LS_THREAD_NEW, task->pid, parent, 0);
    else
        emit_life(LS_FORK, task->tgid, parent, 0);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
    u32 tid = task->pid, tgid = task->tgid;
    if (!process_watched(tgid))
        return 0;
    if (perhaps(tid_filter, tid)) {
        struct ls_slot *slot = slot_of(tid);
        if (slot && slot->busy_since) {
            settle_run_delay(slot, task);
            close_turn(slot, bpf_ktime_get_ns(), 1);
        }
    }
    emit_life(LS_THREAD_EXIT, tid, tgid, BPF_CORE_READ(task, signal, live.counter) <= 0);
    return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_tid)
{
    if (process_watched(task->tgid))
        emit_life(LS_EXEC, task->pid, task->tgid, old_tid);
    return 0;
}

#endif
