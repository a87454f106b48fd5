// The time of steps: read from the CPU's counter at a switch, charged to the task that was suspended.
//
// While somebody watches, every step has its time. But reading the counter costs more than the rest of a switch (12 ns on
// a virtual machine where the switch itself takes 7), so steps that are shorter than that is worth share a reading: a task
// whose last ALONE_STEPS steps, timed one by one, were all short may leave its next one to the reading of a later switch,
// SHARED_STEPS of them at most. Their time is divided among them equally. Nothing is lost, and nothing is off by more than
// a few short steps, until one of them is long after all: then its time is spread over the tasks of that one reading,
// and each of them is timed alone again.
//
// A task is born with what is known of its spawn site: after ALONE_STEPS short steps of the site's tasks the next ones
// share from their first step on. So the many short lives of one site share readings, too. One long step, and the site
// begins anew.
#ifndef LS_WATCH_H
#define LS_WATCH_H

#include "fast.h"

#define ALONE_STEPS  LS__ALONE_STEPS
#define SHARED_STEPS LS__SHARED_STEPS
#define SHORT_NS     200
// A task's last step takes the place of so many.
#define LAST_STEP_COUNTS 4

// site, kind and wait of an event are one word, and so one store.
_Static_assert(offsetof(struct ls_abi_event, site) == 24, "the last word of an event");
_Static_assert(offsetof(struct ls_abi_event, kind) == 28, "the last word of an event");
_Static_assert(offsetof(struct ls_abi_event, wait) == 29, "the last word of an event");
static inline void put_event(struct ls_loop *l, uint8_t kind, uint64_t a, uint64_t b, uint32_t site,
                             uint8_t wait)
{
    struct ls_abi_loop *r = l->record;
    uint64_t head = r->ring_head;
    struct ls_abi_event *e = &l->ring[head & (TABLE_RING - 1)];
    e->ticks = l->event_ticks;
    e->a = a;
    e->b = b;
    *(word_t *)(void *)&e->site = (uint64_t)site | (uint64_t)kind << 32 | (uint64_t)wait << 40;
    __atomic_store_n(&r->ring_head, head + 1, __ATOMIC_RELEASE);
}

static inline void charge(struct task *t, int64_t ns)
{
    struct ls_abi_task *s = t->slot;
    __atomic_store_n(&s->busy_ns, s->busy_ns + (uint64_t)ns, __ATOMIC_RELAXED);
}

static inline void learn_of_site(struct site_stats *site, bool is_short)
{
    if (!is_short)
        site->short_steps = 0;
    else if (site->short_steps < ALONE_STEPS)
        site->short_steps++;
}

static inline void charge_alone(struct task *t, int64_t took)
{
    charge(t, took);
    if (took > SHORT_NS)
        t->alone_left = ALONE_STEPS;
    else if (t->alone_left > 0)
        t->alone_left--;
    else
        return;
    learn_of_site(t->stats, took <= SHORT_NS);
}

// Steps since the last reading.
static inline int32_t steps_shared(const struct ls_loop *l)
{
    return -l->quota;
}

// The step of `t` that ends now waits for a later reading.
static inline void share_step(struct ls_loop *l, struct task *t)
{
    if (t->shared_steps++ == 0)
        l->sharing.tasks[l->sharing.ntasks++] = t;
}

// So does that of a task that has ended. Its earlier ones have been forgotten: see forget_shared. It leaves room for fewer
// others: of a site that turns long after all, only few lives shall go by before that is seen.
static inline void share_last_step(struct ls_loop *l)
{
    l->least_quota += LAST_STEP_COUNTS - 1;
    l->sharing.ended[l->sharing.nended++] = l->ended;
    l->ended = NULL;
}

// What has ended is charged no more, and another may be in its memory by the time of the reading.
static inline void forget_shared(struct ls_loop *l, struct task *t)
{
    t->shared_steps = 0;
    l->ended = t->stats;
}

static __attribute__((noinline)) void charge_shared(struct ls_loop *l, int64_t share)
{
    struct sharing *s = &l->sharing;
    for (uint32_t i = 0; i < s->ntasks; i++) {
        struct task *t = s->tasks[i];
        if (t->shared_steps == 0)
            continue;
        charge(t, share * t->shared_steps);
        t->shared_steps = 0;
        if (unlikely(share > SHORT_NS)) {
            t->alone_left = ALONE_STEPS;
            t->stats->short_steps = 0;
        }
    }
    for (uint32_t i = 0; i < s->nended && unlikely(share > SHORT_NS); i++)
        s->ended[i]->short_steps = 0;
    s->ntasks = s->nended = 0;
}

static inline void charge_step(struct ls_loop *l, struct task *from, int64_t took)
{
    int32_t shared = steps_shared(l);
    int64_t share = shared ? took / (shared + 1) : took;
    if (shared)
        charge_shared(l, share);
    if (from)
        charge_alone(from, took - share * shared);
    else if (l->ended)
        learn_of_site(l->ended, share <= SHORT_NS);
    l->ended = NULL;
}

// A reading, at the end of the step of `from` (NULL: of the loop, or of a task that has ended). The time since the last
// one; 0 when there was none.
static inline int64_t read_step(struct ls_loop *l, struct task *from)
{
    uint64_t ticks = clock_ticks();
    int64_t took = 0;
    if (l->step_ticks) {
        took = clock_ticks_span(&l->clock, l->step_ticks, ticks);
        charge_step(l, from, took);
    }
    l->step_ticks = l->event_ticks = ticks;
    l->now_ns = clock_ticks_to_ns(&l->clock, ticks);
    return took;
}

// State, wait, flags and site of a slot are one word, stored as one: read by parts it would be had later than whole.
static inline void put_switch(struct ls_loop *l, const struct task *from, const struct task *to)
{
    uint64_t state = from ? *(const word_t *)(const void *)&from->slot->state : 0;
    put_event(l, LS_ABI_EV_SWITCH, from ? (uint64_t)from->id : 0, to ? (uint64_t)to->id : 0,
              (uint32_t)(state >> 32), (uint8_t)(state >> 8));
}

// After a reading: how many steps may wait for the next one, if that of `to` is likely to be short.
static inline void allow_sharing(struct ls_loop *l, const struct task *to)
{
    int32_t most = SHARED_STEPS - 1 < l->steps_left ? SHARED_STEPS - 1 : l->steps_left;
    l->least_quota = to && to->alone_left == 0 ? -most : 0;
}

#endif
