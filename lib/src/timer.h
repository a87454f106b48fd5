// Thousands of timers on one uv_timer_t: a hierarchical wheel of 1 ms slots, six levels of 64. Arming and cancelling are O(1).
//
// Most timers are cancelled soon. So a new one only joins a list, and goes into the wheel when the loop next looks at the clock
// (ls__wheel_settle, every few steps and at the end of a turn); until then it could not fire anyway.
//
// One armed for a call that parks at once goes to the list `fresh` with its relative time: that saves a clock read a
// timer, never fires early, and is late by at most the few steps until then. `dated` are those with a time of their own.
#ifndef LS_TIMER_H
#define LS_TIMER_H

#include <stdint.h>

#include "list.h"

#define WHEEL_LEVELS 6

struct timer {
    struct list link; // zeroed when not armed
    struct timer *
        beyond; // a few after it in its slot, to be fetched while it fires; only a hint, may be gone
    int64_t expiry; // ms on the wheel's clock; in `fresh`: ns from now; in `dated`: ns
    void (*fire)(struct timer *timer);
};

struct wheel {
    uint64_t now_ms;                 // everything up to here has fired
    uint64_t next_ms;                // nothing is due before; UINT64_MAX: nothing at all
    uint64_t occupied[WHEEL_LEVELS]; // a bit a slot; may be set for a slot that has become empty
    uint64_t armed;                  // for the figures
    struct list fresh, dated, due;   // due: their time has come, not fired yet
    struct list slots[WHEEL_LEVELS][64];
};

void ls__wheel_init(struct wheel *w, int64_t now_ns);
// Fires at the first turn when the clock shows at_ns or more.
void ls__timer_arm(struct wheel *w, struct timer *timer, int64_t at_ns);
// Puts the fresh and dated ones into the wheel.
void ls__wheel_settle(struct wheel *w, int64_t now_ns);
// Finds what is due by now.
void ls__wheel_advance(struct wheel *w, int64_t now_ns);
// Fires what is due, the `most` first of it. Firing may arm and cancel.
void ls__wheel_fire(struct wheel *w, unsigned most);

static inline bool wheel_due(const struct wheel *w)
{
    return !list_empty(&w->due);
}

static inline void timer_init(struct timer *timer, void (*fire)(struct timer *))
{
    timer->link.next = NULL;
    timer->beyond = NULL;
    timer->fire = fire;
}

static inline bool timer_armed(const struct timer *timer)
{
    return list_linked(&timer->link);
}

static inline void timer_arm_fresh(struct wheel *w, struct timer *timer, int64_t in_ns)
{
    timer->expiry = in_ns;
    list_append(&w->fresh, &timer->link);
    w->armed++;
}

static inline void timer_arm_dated(struct wheel *w, struct timer *timer, int64_t at_ns)
{
    timer->expiry = at_ns;
    list_append(&w->dated, &timer->link);
    w->armed++;
}

static inline void timer_cancel(struct timer *timer)
{
    list_del(&timer->link);
}

#endif
