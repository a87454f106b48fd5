// Samples: the registers and a copy of the stack of the running thread.
#ifndef LOOPSCOPE_BPF_SAMPLE_H
#define LOOPSCOPE_BPF_SAMPLE_H

#include "turn.bpf.h"

enum { CHUNK = 1024 };

struct sample_plan {
    u32 type;
    u32 level;
    u32 kernel_mode;
    u64 claim_from, claim_to; // 0: nothing to claim
    u64 now;
};

// Nothing lies above start_stack but the arguments; 0 for a thread whose stack's end is not known.
static __always_inline u64 stack_end(struct task_struct *task, u64 sp)
{
    u64 end = BPF_CORE_READ(task, mm, start_stack);
    return task->pid == task->tgid && sp < end ? end : 0;
}

static __always_inline u32 copy_stack(u8 *to, u64 sp, u64 end, u32 max)
{
    u32 len = 0;
    for (u32 i = 0; i < LS_STACK_LARGE / CHUNK; i++) {
        u32 at = i * CHUNK;
        if (at + CHUNK > max || (end && sp + at >= end))
            break;
        if (bpf_probe_read_user(to + at, CHUNK, (const void *)(sp + at)))
            break;
        len = at + CHUNK;
    }
    return len;
}

static __always_inline void fill_sample(struct ls_sample *s, const struct ls_slot *slot,
                                        const struct sample_plan *plan)
{
    s->type = plan->type;
    s->tid = slot->tid;
    s->tgid = slot->tgid;
    s->level = plan->level;
    s->now_ns = plan->now;
    s->busy_since = slot->busy_since;
    s->seq = (plan->claim_from ? plan->claim_from : slot->claim) >> LEVEL_BITS;
    s->kernel_mode = plan->kernel_mode;
    s->before_attach = slot->before_attach;
    s->ticks_user = slot->ticks_user;
    s->ticks_kernel = slot->ticks_kernel;
    __builtin_memcpy(&s->turn, &slot->turn, sizeof(s->turn));
}

// A reservation takes its full size of the ring, and its size must be a constant: two classes.
static __always_inline void emit_sized(struct ls_slot *slot, const struct sample_plan *plan,
                                       const struct ls_regs *regs, u64 end, const u32 size)
{
    struct ls_sample *s = bpf_ringbuf_reserve(&records, sizeof(*s) + size, 0);
    if (!s) {
        count_lost(slot);
        return;
    }
    if (plan->claim_to && __sync_val_compare_and_swap(&slot->claim, plan->claim_from,
                                                      plan->claim_to) != plan->claim_from) {
        bpf_ringbuf_discard(s, 0); // user space was faster, or the turn is over
        return;
    }
    fill_sample(s, slot, plan);
    __builtin_memcpy(&s->regs, regs, sizeof(s->regs));
    s->stack_len = copy_stack((u8 *)(s + 1), regs->sp, end, size);
    s->stack_whole = end && regs->sp + s->stack_len >= end;
    bpf_ringbuf_submit(s, 0);
}

// A sample of the current thread.
static __always_inline void emit_sample(struct ls_slot *slot, const struct sample_plan *plan,
                                        struct task_struct *task)
{
    struct ls_regs regs;
    read_regs(task, &regs);
    u64 end = stack_end(task, regs.sp);
    if (end && end - regs.sp <= LS_STACK_SMALL)
        emit_sized(slot, plan, &regs, end, LS_STACK_SMALL);
    else
        emit_sized(slot, plan, &regs, end, LS_STACK_LARGE);
}

// The sample that is due in the present turn, if one is.
static __always_inline void sample_turn(struct ls_slot *slot, struct task_struct *task, u64 now,
                                        u32 kernel_mode)
{
    u64 claim = READ_ONCE(slot->claim), begin = READ_ONCE(slot->busy_since);
    if (!begin || now < begin + level_due(claim & LEVEL_MASK) || !proven(slot, begin, now))
        return;
    u32 level = level_at(now - begin);
    struct sample_plan plan = {
        .type = LS_SAMPLE,
        .level = level,
        .kernel_mode = kernel_mode,
        .claim_from = claim,
        .claim_to = (claim & ~(u64)LEVEL_MASK) | (level + 1),
        .now = now,
    };
    emit_sample(slot, &plan, task);
}

#endif
