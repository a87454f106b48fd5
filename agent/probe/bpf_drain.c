// Records of the ring buffer, turned into callbacks.
#include "bpf.h"

#include <stdlib.h>
#include <string.h>

static void on_sample(struct probe *p, struct thread *t, const struct ls_sample *r)
{
    struct probe_sample s = {
        .pid = t->process->pid,
        .tid = t->tid,
        .at_ns = (int64_t)r->now_ns,
        .turn_begin_ns = (int64_t)r->busy_since,
        .turn_seq = r->seq,
        .level = r->level,
        .on_cpu = true,
        .kernel_mode = r->kernel_mode,
        .began_before_attach = r->before_attach,
        .state = 'R',
        .syscall = -1,
        .regs = r->regs,
        .has_regs = true,
        .stack_base = r->regs.sp,
        .stack = (const uint8_t *)(r + 1),
        .stack_len = r->stack_len,
        .stack_whole = r->stack_whole,
        .why_not = r->stack_len ? NULL : "its stack cannot be read",
    };
    if (r->kernel_mode && (long)r->regs.orig_ax >= 0) {
        const uint64_t args[6] = {r->regs.di,  r->regs.si, r->regs.dx,
                                  r->regs.r10, r->regs.r8, r->regs.r9};
        s.syscall = (long)r->regs.orig_ax;
        memcpy(s.args, args, sizeof(args));
    }
    split_of_sample(r, t->slot, &s.split);
    p->callbacks.sample(p->arg, &s);
}

static void on_turn_end(struct probe *p, const struct ls_turn_end *r)
{
    struct probe_turn turn = {
        .pid = r->tgid,
        .tid = r->tid,
        .seq = r->seq,
        .begin_ns = (int64_t)r->begin_ns,
        .end_ns = (int64_t)r->end_ns,
        .began_before_attach = r->before_attach,
        .gone = r->gone,
        .top_syscall = (long)r->top_nr,
        .top_ns = (int64_t)r->top_ns,
    };
    split_from(&r->split, &turn.split);
    for (int i = 0; i < 6; i++)
        turn.top_args[i] = r->top_args[i];
    p->callbacks.turn(p->arg, &turn);
}

static void on_thread_new(struct probe *p, const struct ls_life *r)
{
    struct process *process = process_find(p, r->tgid);
    if (!process || thread_find(p, r->tid))
        return;
    struct thread *t = thread_add(p, process, r->tid);
    if (!t)
        return;
    tell_thread(p, PROBE_THREAD_NEW, r->tgid, r->tid, 0, (int64_t)r->now_ns);
    t = thread_find(p, r->tid);
    if (t)
        p->ops->seed(p, t->process, t); // it may sleep already
}

static void on_life(struct probe *p, const struct ls_life *r)
{
    switch (r->type) {
    case LS_THREAD_NEW: on_thread_new(p, r); break;
    case LS_THREAD_EXIT:
        if (r->other)
            process_exited(p, r->tgid, (int64_t)r->now_ns);
        else
            thread_exited(p, r->tid, (int64_t)r->now_ns);
        break;
    case LS_EXEC: process_execed(p, r->tgid, (int64_t)r->now_ns); break;
    case LS_FORK:
        tell_thread(p, PROBE_PROCESS_FORK, r->tid, r->tid, r->tgid, (int64_t)r->now_ns);
        break;
    }
}

int bpf_record(void *arg, void *data, size_t size)
{
    struct probe *p = arg;
    const struct ls_sample *r = data;
    if (size < sizeof(struct ls_life))
        return 0;
    struct thread *t = thread_find(p, r->tid);
    switch (r->type) {
    case LS_SAMPLE:
        if (t)
            on_sample(p, t, r);
        break;
    case LS_CALL_STACK:
        if (t)
            keep_call_stack(t, r);
        break;
    case LS_TURN_END:
        if (t && t->kind != WAIT_NONE)
            on_turn_end(p, data);
        break;
    default: on_life(p, data);
    }
    return 0;
}
