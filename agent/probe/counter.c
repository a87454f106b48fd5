// libuv's own count of its turns (from 1.45 on, always kept), read from the target's memory.
#include "internal.h"

#include <string.h>

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)

#define PATIENCE_NS (5 * NS_PER_MS)

void set_proof(struct thread *t, int64_t at_ns)
{
    t->slot->proof_waited = t->slot->turn.off_ns[LS_OFF_RUNQUEUE];
    __atomic_store_n(&t->slot->proof_at, (uint64_t)at_ns, __ATOMIC_RELEASE);
}

void turn_over(struct thread *t, int64_t begin, int64_t now)
{
    uint64_t expected = (uint64_t)begin;
    if (!__atomic_compare_exchange_n(&t->slot->busy_since, &expected, (uint64_t)now, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return; // the kernel side has seen an end of its own
    uint64_t claim = LOAD(t->slot->claim);
    uint64_t next = ((claim >> CLAIM_LEVEL_BITS) + 1) << CLAIM_LEVEL_BITS;
    __atomic_compare_exchange_n(&t->slot->claim, &claim, next, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_ACQUIRE);
    t->slot->before_attach = 0;
    memset(&t->slot->turn, 0, sizeof(t->slot->turn));
    t->slot->ticks_user = t->slot->ticks_kernel = 0;
    t->slot->top_nr = -1;
    t->slot->top_ns = 0;
    t->slot->turn_over_ns = (uint64_t)now;
    set_proof(t, now);
}

// On a busy machine the reader may get no CPU in time. What earlier looks have proved stands until the next
// one, as long as a whole unseen turn cannot hide in between; beginning anew would never end.
static bool still_known(const struct probe *p, const struct thread *t, int64_t begin)
{
    return t->iteration_ns >= begin && p->now_ns - t->iteration_ns < p->config.threshold_ns / 2;
}

bool counter_watch(struct probe *p, struct thread *t, int64_t begin)
{
    if (!t->counter_address)
        return false;
    uint64_t count;
    ssize_t n = reader_read(p->reader, t->process->pid, t->counter_address, &count, sizeof(count),
                            PATIENCE_NS);
    if (n != sizeof(count))
        return still_known(p, t, begin);
    int64_t before = t->iteration;
    t->iteration = (int64_t)count;
    if (before == INT64_MIN || t->iteration_ns < begin) { // the first look into this turn
        set_proof(t, p->now_ns);
    } else if ((int64_t)count != before) {
        t->slot->turns += (uint64_t)((int64_t)count - before);
        turn_over(t, begin, p->now_ns);
    }
    t->iteration_ns = p->now_ns;
    return true;
}
