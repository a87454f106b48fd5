// What is told now and then rather than at once: waits seen, sums of calls, losses.
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { CALL_STACK_MAX = (int)sizeof(struct ls_sample) + LS_STACK_LARGE };

#define WAITS_PAUSE_NS (200 * NS_PER_MS) // between two tellings of the same waits
#define OWN_UNSEEN_NS  (2 * NS_PER_S)    // after which a trusted thread's foreign waits are told

static int collect_waits(const struct ls_slot *slot, struct probe_wait *waits)
{
    int n = 0;
    for (int i = 0; i < LS_WAITS; i++) {
        const struct ls_wait *w = &slot->waits[i];
        if (!w->kind || !w->sleeps)
            continue;
        waits[n++] = (struct probe_wait){
            .kind = (enum wait_kind)w->kind,
            .fd = w->fd,
            .user_sp = w->sp,
            .user_pc = w->pc,
            .sleeps = w->sleeps,
            .last_ns = (int64_t)w->last_ns,
        };
    }
    return n;
}

// A new wait is told at once; the counts of known ones now and then, and of a trusted thread only while
// it sleeps in foreign waits alone.
void report_waits(struct probe *p, struct thread *t)
{
    unsigned int noted = __atomic_load_n(&t->slot->waits_noted, __ATOMIC_ACQUIRE);
    if (noted == t->noted_told)
        return;
    struct probe_wait waits[LS_WAITS];
    int n = collect_waits(t->slot, waits);
    uint64_t own = t->slot->turns + t->slot->in_wait;
    if (own != t->own_sleeps) {
        t->own_sleeps = own;
        t->own_seen_ns = p->now_ns;
    }
    if (n <= t->waits_known) {
        if (p->now_ns - t->told_ns < WAITS_PAUSE_NS)
            return;
        if (t->kind != WAIT_NONE && p->now_ns - t->own_seen_ns < OWN_UNSEEN_NS)
            return;
    }
    t->waits_known = n;
    t->noted_told = noted;
    t->told_ns = p->now_ns;
    if (p->callbacks.wait_seen)
        p->callbacks.wait_seen(p->arg, t->process->pid, t->tid, waits, n);
}

void keep_call_stack(struct thread *t, const struct ls_sample *s)
{
    size_t size = sizeof(*s) + s->stack_len;
    if (size > CALL_STACK_MAX)
        return;
    free(t->call_stack);
    t->call_stack = malloc(size);
    if (t->call_stack)
        memcpy(t->call_stack, s, size);
}

static bool same_call(const struct ls_call *a, const struct ls_call *b)
{
    return a->nr == b->nr && a->args[0] == b->args[0] && a->calls >= b->calls;
}

static void sample_of_call(const struct thread *t, struct probe_sample *ret)
{
    const struct ls_sample *s = (const struct ls_sample *)(const void *)t->call_stack;
    *ret = (struct probe_sample){
        .pid = t->process->pid,
        .tid = t->tid,
        .at_ns = (int64_t)s->now_ns,
        .turn_begin_ns = (int64_t)s->busy_since,
        .turn_seq = s->seq,
        .state = 'S',
        .off_since_ns = (int64_t)s->now_ns,
        .syscall = (long)s->regs.orig_ax,
        .args = {s->regs.di, s->regs.si, s->regs.dx, s->regs.r10, s->regs.r8, s->regs.r9},
        .regs = s->regs,
        .has_regs = true,
        .stack_base = s->regs.sp,
        .stack = t->call_stack + sizeof(*s),
        .stack_len = s->stack_len,
        .stack_whole = s->stack_whole,
    };
}

static void tell_call(struct probe *p, struct thread *t, const struct ls_call *now,
                      const struct ls_call *before, int64_t window_ns)
{
    struct probe_calls c = {
        .pid = t->process->pid,
        .tid = t->tid,
        .syscall = (long)now->nr,
        .begin_ns = p->now_ns - window_ns,
        .end_ns = p->now_ns,
        .calls = (int64_t)(now->calls - before->calls),
        .total_ns = (int64_t)(now->total_ns - before->total_ns),
        .max_ns = (int64_t)now->max_ns,
    };
    memcpy(c.args, now->args, sizeof(c.args));
    struct probe_sample sample;
    if (t->call_stack) {
        sample_of_call(t, &sample);
        if (sample.syscall == now->nr && sample.args[0] == now->args[0])
            c.sample = &sample;
    }
    p->callbacks.calls(p->arg, &c);
}

void report_calls(struct probe *p, struct thread *t, int64_t window_ns)
{
    struct ls_call calls[LS_CALLS];
    memcpy(calls, t->slot->calls, sizeof(calls));
    int64_t least = window_ns / 1000, most = 0;
    int wanted = -1;
    for (int i = 0; i < LS_CALLS; i++) {
        static const struct ls_call none;
        const struct ls_call *before = &t->calls_before[i];
        if (!same_call(&calls[i], before))
            before = &none;
        int64_t total = (int64_t)(calls[i].total_ns - before->total_ns);
        if (calls[i].calls == before->calls || total < least)
            continue;
        if (p->callbacks.calls)
            tell_call(p, t, &calls[i], before, window_ns);
        if (total > most) {
            most = total;
            wanted = i;
        }
    }
    memcpy(t->calls_before, calls, sizeof(calls));
    if (wanted >= 0) {
        t->slot->calls[wanted].want_stack = 1;
        t->slot->want_stacks = 1;
    }
}

void tell_lost(struct probe *p, int pid, int64_t records)
{
    struct probe_lost lost = {
        .pid = pid, .records = records, .what = "records that found the ring full"};
    if (p->callbacks.lost)
        p->callbacks.lost(p->arg, &lost);
}

void report_lost(struct probe *p)
{
    struct process *process, *next;
    HASH_ITER (hh, p->processes, process, next) {
        int64_t n = 0;
        for (struct thread *t = process->threads; t; t = t->next) {
            unsigned int lost = __atomic_load_n(&t->slot->lost, __ATOMIC_RELAXED);
            n += lost - t->lost_before;
            t->lost_before = lost;
        }
        if (n)
            tell_lost(p, process->pid, n);
    }
}
