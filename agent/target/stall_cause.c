// What a stall is put down to: its split of wall time says which kind took most of it, its looks say on what, held by
// whom, and how much of the computing was the collector's.
#include "stall_cause.h"

#include <string.h>

#include "cause.h"

// The newest look whose kind explains the stall lends its details; of a call that sleeps often and shortly,
// one that met it on the CPU does as well.
const struct stall_sample *stall_detail(const struct stall *s, enum cause_kind kind)
{
    const struct stall_sample *in_kernel = NULL;
    for (int i = s->facts.nsamples - 1; i >= 0; i--) {
        const struct cause *c = &s->samples[i].cause;
        if (c->kind == kind)
            return &s->samples[i];
        if (c->kind == CAUSE_CPU_KERNEL && c->syscall && !in_kernel)
            in_kernel = &s->samples[i];
    }
    return kind == CAUSE_SYSCALL ? in_kernel : NULL;
}

// The holder is asked at the first look only.
static struct stack *holder_stack_of(const struct stall *s, int64_t holder)
{
    for (int i = 0; i < s->facts.nsamples && holder != SNAP_UNKNOWN; i++)
        if (s->samples[i].cause.holder_tid == holder && s->samples[i].cause.holder_stack)
            return s->samples[i].cause.holder_stack;
    return NULL;
}

bool sample_in_futex(const struct stall_sample *k)
{
    return !k->on_cpu && k->cause.syscall && strncmp(k->cause.syscall, "futex", 5) == 0;
}

// On the CPU, or put off it in the midst of its work.
static bool computes(const struct stall_sample *k)
{
    switch (k->cause.kind) {
    case CAUSE_RUNQUEUE:
    case CAUSE_CPU_USER:
    case CAUSE_CPU_KERNEL: return true;
    case CAUSE_GC: return !sample_in_futex(k);
    default: return k->on_cpu;
    }
}

// The share of the looks, of those that met the thread computing or else in a futex, that met the collector.
static double gc_share(const struct stall *s, bool cpu)
{
    int looks = 0, gc = 0;
    for (int i = 0; i < s->facts.nsamples; i++) {
        const struct stall_sample *k = &s->samples[i];
        if (cpu ? !computes(k) : !sample_in_futex(k))
            continue;
        looks++;
        gc += s->gc[i];
    }
    return looks ? (double)gc / looks : 0;
}

// A collector that works on several threads computes, and waits in a futex for its helpers.
static void account_gc(struct stall *s)
{
    struct time_split *t = &s->facts.split;
    if (t->gc > 0) { // of an earlier settling of the same split
        t->cpu_user += s->gc_of_cpu;
        t->lock += s->gc_of_lock;
    }
    s->gc_of_cpu = (int64_t)((double)t->cpu_user * gc_share(s, true));
    s->gc_of_lock = (int64_t)((double)t->lock * gc_share(s, false));
    t->cpu_user -= s->gc_of_cpu;
    t->lock -= s->gc_of_lock;
    t->gc = s->gc_of_cpu + s->gc_of_lock;
}

void stall_settle(struct stall *s)
{
    struct cause *c = &s->facts.cause;
    double ratio;
    account_gc(s);
    enum cause_kind kind = split_winner(&s->facts.split, s->facts.duration_ns, &ratio);
    if (kind == CAUSE_UNKNOWN && s->facts.nsamples > 0) { // no split: the looks are all we have
        kind = s->samples[s->facts.nsamples - 1].cause.kind;
        ratio = 0;
    }
    const struct stall_sample *from = stall_detail(s, kind);
    if (from)
        *c = from->cause; // its strings lie in the same box
    else
        cause_clear(c);
    c->kind = kind;
    c->ratio = ratio;
    c->holder_stack = holder_stack_of(s, c->holder_tid);
}
