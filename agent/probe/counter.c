// libuv's own count of its turns (from 1.45 on, always kept), read from the target's memory.
#include "internal.h"

#include <string.h>

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)

#define PATIENCE_NS (5 * NS_PER_MS)
#define TURNS_MAX   (1 << 20) // between two looks

void set_proof(struct thread *t, int64_t at_ns)
{
    t->slot->proof_waited = t->slot->turn.off_ns[LS_OFF_RUNQUEUE];
    __atomic_store_n(&t->slot->proof_at, (uint64_t)at_ns, __ATOMIC_RELEASE);
}

void split_add_to(struct ls_split *to, const struct probe_split *from)
{
    to->cpu_user_ns += (unsigned long long)from->cpu_user;
    to->cpu_kernel_ns += (unsigned long long)from->cpu_kernel;
    to->off_ns[LS_OFF_RUNQUEUE] += (unsigned long long)from->runqueue;
    to->off_ns[LS_OFF_STOPPED] += (unsigned long long)from->stopped;
    to->off_ns[LS_OFF_SYSCALL] += (unsigned long long)from->sleep_syscall;
    to->off_ns[LS_OFF_FUTEX] += (unsigned long long)from->sleep_futex;
    to->off_ns[LS_OFF_FAULT] += (unsigned long long)from->sleep_fault;
}

void turn_of_slot(const struct thread *t, int64_t end, const struct probe_split *split,
                  struct probe_turn *ret)
{
    const struct ls_slot *slot = t->slot;
    *ret = (struct probe_turn){
        .pid = t->process->pid,
        .tid = t->tid,
        .seq = LOAD(slot->claim) >> CLAIM_LEVEL_BITS,
        .begin_ns = (int64_t)LOAD(slot->busy_since),
        .end_ns = end,
        .began_before_attach = slot->before_attach,
        .split = *split,
        .top_syscall = (long)slot->top_nr,
        .top_ns = (int64_t)slot->top_ns,
    };
    for (int i = 0; i < 6; i++)
        ret->top_args[i] = slot->top_args[i];
}

static void forget_turn(struct ls_slot *slot, int64_t now)
{
    slot->before_attach = 0;
    memset(&slot->turn, 0, sizeof(slot->turn));
    slot->ticks_user = slot->ticks_kernel = 0;
    slot->top_nr = -1;
    slot->top_ns = 0;
    slot->turn_over_ns = (uint64_t)now;
}

// A turn that was sampled is told: nobody else will. Of any other its length is not sure enough.
bool turn_over(struct probe *p, struct thread *t, int64_t begin, int64_t now)
{
    struct ls_slot *slot = t->slot;
    struct probe_split split;
    struct probe_turn turn;
    split_now(slot, now, &split);
    turn_of_slot(t, now, &split, &turn);
    uint64_t expected = (uint64_t)begin;
    if (!__atomic_compare_exchange_n(&slot->busy_since, &expected, (uint64_t)now, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return false; // the kernel side has seen an end of its own
    uint64_t claim = LOAD(slot->claim);
    uint64_t next = ((claim >> CLAIM_LEVEL_BITS) + 1) << CLAIM_LEVEL_BITS;
    __atomic_compare_exchange_n(&slot->claim, &claim, next, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_ACQUIRE);
    forget_turn(slot, now);
    slot->busy_ns += (uint64_t)(now - begin);
    split_add_to(&slot->sum, &split);
    set_proof(t, now);
    if ((claim & CLAIM_LEVEL_MASK) && p->callbacks.turn)
        p->callbacks.turn(p->arg, &turn);
    return true;
}

// How long each was nobody has seen: they are taken to be alike.
static void note_lengths(struct ls_slot *slot, int64_t length, uint64_t turns)
{
    if (turns > TURNS_MAX)
        return; // a count that ran backwards, or is none
    uint64_t each = (uint64_t)length / turns;
    slot->turns += turns;
    slot->turn_hist[hist_bucket((int64_t)each)] += (unsigned int)turns;
    if (each > slot->turn_max_ns)
        slot->turn_max_ns = each;
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
        // Before the first look others may have gone by.
        int64_t from = (int64_t)LOAD(t->slot->proof_at);
        bool whole = !t->slot->before_attach;
        if (turn_over(p, t, begin, p->now_ns) && whole)
            note_lengths(t->slot, p->now_ns - (from > begin ? from : begin),
                         count - (uint64_t)before);
    }
    t->iteration_ns = p->now_ns;
    return true;
}
