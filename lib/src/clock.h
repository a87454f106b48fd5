// The CPU's own counter, for what happens too often to ask the kernel; and its rate.
#ifndef LS_CLOCK_H
#define LS_CLOCK_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

static inline int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline uint64_t clock_ticks(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return (uint64_t)clock_ns();
#endif
}

// ns = ns_ref + ((ticks - ticks_ref) * mult >> 32), of one loop. The reference moves on every turn, so the product
// stays small and an error of the rate cannot add up.
struct tick_clock {
    uint64_t ticks_ref, mult;
    int64_t ns_ref;
    uint64_t ticks_origin; // where the rate is measured from
    int64_t ns_origin;
};

void ls__clock_init(struct tick_clock *c);    // about 20 us, once a process
int64_t ls__clock_sync(struct tick_clock *c); // asks the kernel; the time, and a better rate

static inline int64_t clock_ticks_to_ns(const struct tick_clock *c, uint64_t ticks)
{
    int64_t since = (int64_t)(ticks - c->ticks_ref);
    if (since < 0) // another core's counter a little behind
        since = 0;
    return c->ns_ref + (int64_t)(((unsigned __int128)(uint64_t)since * c->mult) >> 32);
}

static inline int64_t clock_ticks_span(const struct tick_clock *c, uint64_t from, uint64_t to)
{
    int64_t span = (int64_t)(to - from);
    return span < 0 ? 0 : (int64_t)(((unsigned __int128)(uint64_t)span * c->mult) >> 32);
}

#endif
