// The trust in one wait call of a thread.
#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "internal.h"

_Static_assert(WAIT_EPOLL == (int)LS_WAIT_EPOLL && WAIT_POLL == (int)LS_WAIT_POLL &&
                   WAIT_SELECT == (int)LS_WAIT_SELECT && WAIT_URING == (int)LS_WAIT_URING,
               "the kernel side compares them");

static const struct ls_wait *candidate(const struct thread *t, uint64_t user_pc)
{
    const struct ls_wait *best = NULL;
    for (int i = 0; i < LS_WAITS; i++) {
        const struct ls_wait *w = &t->slot->waits[i];
        if ((enum wait_kind)w->kind != t->kind || !w->sleeps)
            continue;
        if (wait_has_fd(t->kind) ? w->fd != t->fd : user_pc && w->pc != user_pc)
            continue;
        if (!best || w->sp > best->sp) // of polls the outermost is the loop's
            best = w;
    }
    return best;
}

static bool asleep_in_own_wait(const struct thread *t)
{
    const struct ls_regs *r = &t->slot->regs;
    if (!(__atomic_load_n(&t->slot->off_seq, __ATOMIC_ACQUIRE) & 1))
        return false;
    if (wait_kind_of((long)r->orig_ax, r->dx) != t->kind)
        return false;
    return wait_has_fd(t->kind) ? (int)r->di == t->fd : r->sp + 256 >= t->slot->trust_sp;
}

// Where wait calls are traced their ends are noted too: a thread may be in its own, and not asleep.
static bool inside_own_wait(const struct probe *p, const struct thread *t,
                            const struct ls_wait *own)
{
    int at = __atomic_load_n(&t->slot->cur_wait, __ATOMIC_ACQUIRE);
    return !p->estimated && own && at >= 0 && own == &t->slot->waits[at];
}

// The present turn: one that the thread was not seen to begin has lasted since the attach at least. What it
// was spent on until now is in the slot.
static void start_turn(struct probe *p, struct thread *t, const struct ls_wait *own)
{
    struct ls_slot *slot = t->slot;
    bool seen = own && own->woke_ns >= own->last_ns && own->woke_ns;
    slot->before_attach = !seen;
    uint64_t claim = ((slot->claim >> CLAIM_LEVEL_BITS) + 1) << CLAIM_LEVEL_BITS;
    __atomic_store_n(&slot->claim, claim, __ATOMIC_RELEASE);
    uint64_t idle = 0, begin = seen ? own->woke_ns : (uint64_t)t->added_ns;
    __atomic_compare_exchange_n(&slot->busy_since, &idle, begin, false, __ATOMIC_ACQ_REL,
                                __ATOMIC_ACQUIRE);
    wake_at(p, now_ns());
}

static void clear_figures(struct ls_slot *slot)
{
    slot->turns = slot->busy_ns = slot->wait_ns = slot->turn_max_ns = slot->polls_empty = 0;
    slot->told = 0;
    slot->told_ns = 0;
    slot->merged_ns = slot->all_ticks_user = slot->all_ticks_kernel = 0;
    memset(&slot->sum, 0, sizeof(slot->sum));
    memset(slot->turn_hist, 0, sizeof(slot->turn_hist));
    memset(slot->runqueue_hist, 0, sizeof(slot->runqueue_hist));
}

static void end_trust(struct probe *p, struct thread *t)
{
    if (t->kind == WAIT_NONE)
        return;
    if (p->scan_next == t)
        p->scan_next = t->next_trusted;
    DL_DELETE2(p->trusted, t, prev_trusted, next_trusted);
    p->ops->untrust(p, t);
    t->kind = WAIT_NONE;
    t->slot->trust_kind = LS_WAIT_NONE;
    t->slot->in_wait = 0;
    t->slot->idle_since = 0;
    __atomic_store_n(&t->slot->busy_since, 0, __ATOMIC_RELEASE);
}

int probe_trust(struct probe *p, int tid, enum wait_kind kind, int fd, uint64_t user_pc)
{
    struct thread *t = thread_find(p, tid);
    if (!t)
        return -ESRCH;
    if (kind != WAIT_NONE && t->kind == kind && (!wait_has_fd(kind) || t->fd == fd))
        return 0;
    end_trust(p, t);
    if (kind == WAIT_NONE)
        return 0;
    struct ls_slot *slot = t->slot;
    t->kind = kind;
    t->fd = wait_has_fd(kind) ? fd : -1;
    t->trusted_ns = t->own_seen_ns = now_ns();
    const struct ls_wait *own = candidate(t, user_pc);
    clear_figures(slot);
    memcpy(t->calls_before, slot->calls, sizeof(t->calls_before));
    slot->trust_fd = t->fd;
    slot->trust_sp = own ? own->sp : 0;
    slot->wait_pc = own ? own->pc : user_pc;
    slot->proof_at = 0;
    __atomic_store_n(&slot->trust_kind, (int)kind, __ATOMIC_RELEASE);
    DL_APPEND2(p->trusted, t, prev_trusted, next_trusted);
    p->ops->trust(p, t);
    if (asleep_in_own_wait(t)) {
        slot->idle_since = slot->off_since;
        slot->in_wait = 1;
    } else if (inside_own_wait(p, t, own)) {
        slot->idle_since = own->last_ns;
        slot->in_wait = 1;
    } else {
        start_turn(p, t, own);
    }
    return 0;
}

void probe_loop_counter(struct probe *p, int tid, uint64_t address)
{
    struct thread *t = thread_find(p, tid);
    if (!t)
        return;
    t->counter_address = address;
    t->iteration = t->iteration_before = INT64_MIN;
}
