#include "timer.h"

#include <string.h>

#define NS_PER_MS  1000000
#define LONGEST_MS ((1ull << 36) - 1) // about two years: more than that is cut
#define BEYOND     4

void ls__wheel_init(struct wheel *w, int64_t now_ns)
{
    memset(w, 0, sizeof(*w));
    w->now_ms = (uint64_t)now_ns / NS_PER_MS;
    w->next_ms = UINT64_MAX;
    list_init(&w->fresh);
    list_init(&w->dated);
    list_init(&w->due);
    for (int level = 0; level < WHEEL_LEVELS; level++)
        for (int slot = 0; slot < 64; slot++)
            list_init(&w->slots[level][slot]);
}

// The level is that of the highest digit (base 64) in which the expiry differs from now, so within a level
// all slots lie ahead of now's digit and none wraps.
static void place(struct wheel *w, struct timer *timer)
{
    uint64_t expiry = (uint64_t)timer->expiry;
    if (expiry <= w->now_ms)
        expiry = w->now_ms + 1;
    if (expiry - w->now_ms > LONGEST_MS)
        expiry = w->now_ms + LONGEST_MS;
    uint64_t differs = expiry ^ w->now_ms;
    int level = (63 - __builtin_clzll(differs)) / 6;
    if (level >=
        WHEEL_LEVELS) { // a carry into a digit that the wheel has not: the last slot comes soon enough
        level = WHEEL_LEVELS - 1;
        expiry = w->now_ms | LONGEST_MS;
    }
    unsigned slot = (expiry >> (6 * level)) & 63;
    list_add_tail(&w->slots[level][slot], &timer->link);
    w->occupied[level] |= 1ull << slot;
    uint64_t at = expiry & ~((1ull << (6 * level)) - 1);
    if (at < w->next_ms)
        w->next_ms = at;
}

static uint64_t ms_not_before(int64_t ns)
{
    return ((uint64_t)ns + NS_PER_MS - 1) / NS_PER_MS;
}

void ls__timer_arm(struct wheel *w, struct timer *timer, int64_t at_ns)
{
    timer->expiry = (int64_t)ms_not_before(at_ns);
    w->armed++;
    place(w, timer);
}

void ls__wheel_settle(struct wheel *w, int64_t now_ns)
{
    struct timer *before[BEYOND] = {NULL};
    struct list *node;
    for (unsigned i = 0; (node = list_pop(&w->fresh)); i++) {
        struct timer *timer = list_entry(node, struct timer, link), **last = &before[i % BEYOND];
        if (*last)
            (*last)->beyond = timer;
        *last = timer;
        int64_t at;
        if (__builtin_add_overflow(now_ns, timer->expiry, &at))
            at = INT64_MAX - NS_PER_MS;
        timer->expiry = (int64_t)ms_not_before(at);
        place(w, timer);
    }
    while ((node = list_pop(&w->dated))) {
        struct timer *timer = list_entry(node, struct timer, link);
        timer->expiry = (int64_t)ms_not_before(timer->expiry);
        place(w, timer);
    }
}

// The first slot that may hold something: its level, and its time in *at. -1: none.
static int first_slot(const struct wheel *w, uint64_t *at)
{
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        if (!w->occupied[level])
            continue;
        uint64_t slot = (uint64_t)__builtin_ctzll(w->occupied[level]);
        uint64_t above = w->now_ms >> (6 * level) >> 6; // digits above this level are now's
        *at = (above << 6 | slot) << (6 * level);
        return level;
    }
    return -1;
}

static void find_next(struct wheel *w)
{
    uint64_t at;
    w->next_ms = first_slot(w, &at) < 0 ? UINT64_MAX : at;
}

// One slot, whose time has come. In those of the lowest level all have the same time.
static void empty_slot(struct wheel *w, int level, unsigned slot, uint64_t now_ms)
{
    struct list timers, *node;
    w->occupied[level] &= ~(1ull << slot);
    if (level == 0) {
        list_splice(&w->due, &w->slots[level][slot]);
        return;
    }
    list_init(&timers);
    list_splice(&timers, &w->slots[level][slot]);
    while ((node = list_pop(&timers))) {
        struct timer *timer = list_entry(node, struct timer, link);
        if ((uint64_t)timer->expiry <= now_ms)
            list_append(&w->due, &timer->link);
        else
            place(w, timer);
    }
}

void ls__wheel_advance(struct wheel *w, int64_t now_ns)
{
    uint64_t now_ms = (uint64_t)now_ns / NS_PER_MS, at;
    if (now_ms < w->next_ms) // now_ms of the wheel stays: digits are only compared with it
        return;
    int level;
    while ((level = first_slot(w, &at)) >= 0 && at <= now_ms) {
        w->now_ms = at;
        empty_slot(w, level, (at >> (6 * level)) & 63, now_ms);
    }
    if (now_ms > w->now_ms)
        w->now_ms = now_ms;
    find_next(w);
}

void ls__wheel_fire(struct wheel *w, unsigned most)
{
    struct list *node;
    while (most-- > 0 && (node = list_pop(&w->due))) {
        struct timer *timer = list_entry(node, struct timer, link);
        __builtin_prefetch(timer->beyond, 1);
        timer->fire(timer);
    }
}
