#include "calls.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "cause.h"
#include "intern.h"
#include "threads.h"

#define STACK_WAIT_NS 5000000000LL // a sum without a culprit is shown no sooner
#define SUMS_MAX      64           // of one loop: more would be no culprit's

static struct call_sum *sum_of(struct thread *t, const struct probe_calls *c, int64_t now_ns)
{
    struct call_sum *s;
    int n = 0;
    LL_FOREACH (t->calls, s) {
        if (s->syscall == c->syscall && s->arg0 == c->args[0])
            return s;
        n++;
    }
    if (n >= SUMS_MAX || !(s = calloc(1, sizeof(*s))))
        return NULL;
    s->syscall = c->syscall;
    s->arg0 = c->args[0];
    s->seen_ns = now_ns;
    s->box = snap_new();
    cause_of_call(t->pid, t->tid, c->syscall, c->args, s->box, &s->cause);
    LL_PREPEND(t->calls, s);
    return s;
}

struct whose {
    struct model *m;
    int tid;
    long syscall;
    uint64_t arg0;
};

static void stack_answered(void *arg, const struct stack_answer *a)
{
    struct whose w = *(struct whose *)arg;
    free(arg);
    struct thread *t = model_thread(w.m, w.tid);
    struct call_sum *s;
    if (!t || !a->stack)
        return;
    LL_FOREACH (t->calls, s) {
        if (s->syscall == w.syscall && s->arg0 == w.arg0 && !s->stack)
            s->stack = snap_hold(s->box, stack_intern(w.m, a->stack));
    }
}

static void ask_stack(struct model *m, struct thread *t, const struct probe_calls *c)
{
    const struct probe_sample *k = c->sample;
    if (!k || !k->has_regs)
        return;
    struct whose *w = malloc(sizeof(*w));
    if (!w)
        return;
    *w = (struct whose){m, t->tid, c->syscall, c->args[0]};
    struct stack_request r = {.pid = t->pid,
                              .tid = t->tid,
                              .runtime = t->proc->identity.runtime,
                              .native = m->native,
                              .regs = k->regs,
                              .stack_base = k->stack_base,
                              .stack = k->stack,
                              .stack_len = k->stack_len,
                              .stack_whole = k->stack_whole};
    if (stacker_stack(m->stacker, &r, stack_answered, w) < 0)
        free(w);
}

// A stall's calls are told with the stall; which of a report's they are, nothing says.
static bool may_be_of_stall(const struct model *m, const struct thread *t,
                            const struct probe_calls *c)
{
    return (t->stall && m->started_ns + t->stall->facts.begin_ns < c->end_ns) ||
           t->stalled_until_ns > c->begin_ns;
}

void calls_seen(struct model *m, struct thread *t, const struct probe_calls *c)
{
    if (may_be_of_stall(m, t, c))
        return;
    struct call_sum *s = t->history ? sum_of(t, c, m->now_ns) : NULL;
    if (!s)
        return;
    s->slots[s->head].calls += c->calls;
    s->slots[s->head].total_ns += c->total_ns;
    if (c->max_ns > s->slots[s->head].max_ns)
        s->slots[s->head].max_ns = c->max_ns;
    if (!s->stack)
        ask_stack(m, t, c);
}

bool calls_are_known(const struct call_sum *c, int64_t now_ns)
{
    return c->stack || now_ns - c->seen_ns >= STACK_WAIT_NS;
}

bool calls_window(const struct call_sum *c, struct snap_calls *ret)
{
    ret->calls = ret->total_ns = ret->max_ns = 0;
    for (int i = 0; i < CALL_SLOTS; i++) {
        ret->calls += c->slots[i].calls;
        ret->total_ns += c->slots[i].total_ns;
        if (c->slots[i].max_ns > ret->max_ns)
            ret->max_ns = c->slots[i].max_ns;
    }
    return ret->calls > 0;
}

static void sum_free(struct call_sum *s)
{
    snap_unref(s->box);
    free(s);
}

void calls_turn(struct thread *t)
{
    struct call_sum *s, *next;
    struct snap_calls totals;
    LL_FOREACH_SAFE(t->calls, s, next)
    {
        s->head = (s->head + 1) % CALL_SLOTS;
        memset(&s->slots[s->head], 0, sizeof(s->slots[s->head]));
        if (calls_window(s, &totals))
            continue;
        LL_DELETE(t->calls, s);
        sum_free(s);
    }
}

void calls_free(struct call_sum *list)
{
    struct call_sum *s, *next;
    LL_FOREACH_SAFE(list, s, next)
    sum_free(s);
}
