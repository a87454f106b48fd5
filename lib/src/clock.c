#include "clock.h"

#include <pthread.h>

static struct tick_clock first; // measured once; loops copy it
static pthread_once_t measured = PTHREAD_ONCE_INIT;

static void set_rate(struct tick_clock *c, uint64_t ticks, int64_t ns)
{
    uint64_t span = ticks - c->ticks_origin;
    if (span > 0 && ns > c->ns_origin)
        c->mult = (uint64_t)((((unsigned __int128)(ns - c->ns_origin)) << 32) / span);
}

static void measure(void)
{
    first.ns_origin = first.ns_ref = clock_ns();
    first.ticks_origin = first.ticks_ref = clock_ticks();
    int64_t ns;
    do
        ns = clock_ns();
    while (ns - first.ns_origin < 20000);
    set_rate(&first, clock_ticks(), ns);
}

void ls__clock_init(struct tick_clock *c)
{
    pthread_once(&measured, measure);
    *c = first;
    ls__clock_sync(c);
}

int64_t ls__clock_sync(struct tick_clock *c)
{
    int64_t ns = clock_ns();
    uint64_t ticks = clock_ticks();
    if (ns - c->ns_origin > 10000000) // from 10 ms on two readings are far enough apart
        set_rate(c, ticks, ns);
    c->ns_ref = ns;
    c->ticks_ref = ticks;
    return ns;
}
