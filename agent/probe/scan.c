// The look at the slots, at each deadline: which turns are due for a sample, and when to look again.
//
// At rest the slots are looked at a few times in a threshold, without a system call; a turn found to last is
// then looked at exactly when its next sample is due.
#include "internal.h"

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)

#define RETRY_NS     (5 * NS_PER_MS)
#define SLOW_LOOK_NS (200 * NS_PER_MS)
#define REPORT_NS    (1 * NS_PER_S)

bool deliver_sample(struct probe *p, struct thread *t, struct probe_sample *s)
{
    uint64_t claim = LOAD(t->slot->claim);
    int64_t age = s->at_ns - s->turn_begin_ns;
    if (claim >> CLAIM_LEVEL_BITS != s->turn_seq || age < level_due(p, claim & CLAIM_LEVEL_MASK))
        return false;
    s->level = (int)level_at(p, age);
    uint64_t next = (claim & ~(uint64_t)CLAIM_LEVEL_MASK) | ((uint64_t)s->level + 1);
    if (!__atomic_compare_exchange_n(&t->slot->claim, &claim, next, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return false;
    p->callbacks.sample(p->arg, s);
    return true;
}

bool sample_blindly(struct probe *p, struct thread *t, const char *why)
{
    struct probe_sample s;
    sample_from_slot(p, t, &s);
    if (!s.turn_begin_ns || !turn_proven(p, t, s.turn_begin_ns, p->now_ns))
        return false;
    s.on_cpu = true;
    s.state = 'R';
    s.why_not = why;
    split_now(t->slot, p->now_ns, &s.split);
    return deliver_sample(p, t, &s);
}

void scan_thread(struct probe *p, struct thread *t)
{
    int64_t begin = (int64_t)LOAD(t->slot->busy_since);
    if (!begin)
        return;
    int64_t due = begin + level_due(p, LOAD(t->slot->claim) & CLAIM_LEVEL_MASK);
    if (due > p->now_ns)
        wake_at(p, due);
    else if (!(LOAD(t->slot->off_seq) & 1 ? sample_sleeping(p, t) : p->ops->sample_running(p, t)))
        wake_at(p, p->now_ns + RETRY_NS);
}

static void report_all_calls(struct probe *p, int64_t window_ns)
{
    for (struct thread *t = p->trusted; t; t = p->scan_next) {
        p->scan_next = t->next_trusted;
        report_calls(p, t, window_ns);
    }
}

void scan_slowly(struct probe *p)
{
    if (p->now_ns - p->slow_look_ns < SLOW_LOOK_NS)
        return;
    p->slow_look_ns = p->now_ns;
    struct thread *t, *next;
    HASH_ITER (hh, p->threads, t, next) {
        if (p->ops->look_slowly)
            p->ops->look_slowly(p, t);
        report_waits(p, t);
    }
    if (p->now_ns - p->reported_ns < REPORT_NS)
        return;
    report_all_calls(p, p->now_ns - p->reported_ns);
    report_lost(p);
    p->reported_ns = p->now_ns;
}
