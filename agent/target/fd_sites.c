#include "fd_sites.h"

#include <math.h>
#include <string.h>
#include <utlist.h>

#define SECOND_NS     1000000000LL
#define SPAN_MIN_NS   (300 * SECOND_NS)
#define SPAN_HORIZONS 8
#define WINDOW_NS     (10 * SECOND_NS)
#define LOOKS_MIN     5 // a horizon of fewer looks tells nothing

int64_t fd_horizon_ns(const struct fd_clock *clock, int i)
{
    static const int seconds[FD_HORIZONS] = {30, 60, 120, 300, 600, 1200, 2400};
    return (int64_t)(seconds[i] * 1e9 * clock->scale);
}

static int64_t slot_ns(const struct fd_clock *clock, int i)
{
    int64_t ns = fd_horizon_ns(clock, i) / 4;
    return ns > 0 ? ns : 1;
}

void fd_opened(struct fd_site *site, struct fd_life *life, int64_t at_ns, bool before)
{
    life->site = site;
    life->opened_ns = life->used_ns = at_ns;
    life->before = before;
    site->opened += !before;
    site->open++;
    // Nearly always the newest; not when its site was found out late.
    struct fd_life *after = site->lives ? site->lives->prev : NULL;
    while (after && after->opened_ns > at_ns)
        after = after == site->lives ? NULL : after->prev;
    if (after)
        DL_APPEND_ELEM(site->lives, after, life);
    else
        DL_PREPEND(site->lives, life);
}

void fd_used(struct fd_life *life, int64_t at_ns)
{
    if (at_ns > life->used_ns)
        life->used_ns = at_ns;
}

// The ring holds FD_SLOTS slots; what leaves it joins the total.
static void turn_slots(struct fd_outlived *o, int64_t slot)
{
    int64_t first = slot - o->slot > FD_SLOTS ? slot - FD_SLOTS + 1 : o->slot + 1;
    for (int64_t i = first; i <= slot; i++) {
        o->joined += o->recent[i % FD_SLOTS];
        o->recent[i % FD_SLOTS] = 0;
    }
    if (slot > o->slot)
        o->slot = slot;
}

static void outlive(const struct fd_clock *clock, struct fd_outlived *o, int i, int64_t opened_ns,
                    int64_t now_ns)
{
    int64_t now = now_ns / slot_ns(clock, i), born = opened_ns / slot_ns(clock, i);
    turn_slots(o, now);
    if (now - born < FD_SLOTS)
        o->recent[born % FD_SLOTS]++;
    else
        o->joined++;
}

void fd_closed(const struct fd_clock *clock, struct fd_life *life, int64_t at_ns)
{
    struct fd_site *site = life->site;
    DL_DELETE(site->lives, life);
    life->site = NULL;
    site->open--;
    if (life->before)
        return;
    site->closed++;
    // One that was used until then was no candidate, as an open one that is in use is none.
    for (int i = 0; i < FD_HORIZONS; i++)
        if (at_ns - life->used_ns > fd_horizon_ns(clock, i))
            outlive(clock, &site->outlived[i], i, life->opened_ns, at_ns);
}

void fd_site_resume(struct fd_site *site, int64_t since_ns)
{
    if (!site->until_ns || since_ns < site->until_ns)
        return;
    site->until_ns = 0;
    site->began_ns = since_ns;
}

void fd_site_tick(const struct fd_clock *clock, struct fd_site *site, int64_t now_ns)
{
    int64_t window = (int64_t)((double)WINDOW_NS * clock->scale);
    if (site->ncounts && now_ns - site->counted_ns[0] < window)
        return;
    memmove(site->counts + 1, site->counts, sizeof(*site->counts) * (FD_WINDOWS - 1));
    memmove(site->counted_ns + 1, site->counted_ns, sizeof(*site->counted_ns) * (FD_WINDOWS - 1));
    site->counts[0] = site->open;
    site->counted_ns[0] = now_ns;
    site->ncounts += site->ncounts < FD_WINDOWS;
}

void fd_unseen_begin(struct fd_unseen *unseen, const struct fd_site *site)
{
    unseen->before = unseen->n;
    unseen->site_opened = site->opened;
    unseen->site_closed = site->closed;
}

void fd_unseen_count(struct fd_unseen *unseen, const struct fd_site *site, int64_t opened,
                     int64_t closed)
{
    int64_t more_opened = opened - (site->opened - unseen->site_opened);
    int64_t more_closed = closed - (site->closed - unseen->site_closed);
    int64_t n = unseen->before + (more_opened < more_closed ? more_opened : more_closed);
    if (n > unseen->n)
        unseen->n = n;
}

static double growth_of(const struct fd_site *site)
{
    int oldest = site->ncounts - 1;
    if (oldest < FD_WINDOWS - 1 || site->counted_ns[0] <= site->counted_ns[oldest])
        return NAN;
    return (double)(site->counts[0] - site->counts[oldest]) * 1e9 /
           (double)(site->counted_ns[0] - site->counted_ns[oldest]);
}

static int part_of(int64_t at, int64_t from, int64_t to, int parts)
{
    int i = (int)((double)(at - from) * parts / (double)(to - from));
    return i < 0 ? 0 : i >= parts ? parts - 1 : i;
}

static int64_t joined(const struct fd_clock *clock, struct fd_site *site, int i, int64_t now_ns)
{
    struct fd_outlived *o = &site->outlived[i];
    int64_t slot = now_ns / slot_ns(clock, i);
    turn_slots(o, slot);
    int64_t n = (int64_t)o->joined;
    // The slots between 2 H and what the ring holds.
    for (int64_t back = FD_SLOTS - 1; back > 8 && slot >= back; back--)
        n += o->recent[(slot - back) % FD_SLOTS];
    return n;
}

static int64_t end_of(const struct fd_site *site, int64_t now_ns)
{
    return site->until_ns ? site->until_ns : now_ns;
}

static void put_survivor(struct fd_cohort *c, int64_t opened, int64_t from, int64_t to)
{
    c->survivors++;
    if (opened >= from && to > from)
        c->quarters[part_of(opened, from, to, 4)]++;
}

static void cohort(const struct fd_clock *clock, struct fd_site *site, int i, int64_t now_ns,
                   struct fd_cohort *c)
{
    int64_t horizon = fd_horizon_ns(clock, i), end = end_of(site, now_ns);
    int64_t watched = end - site->began_ns;
    int64_t span = (int64_t)((double)SPAN_MIN_NS * clock->scale);
    if (SPAN_HORIZONS * horizon > span)
        span = SPAN_HORIZONS * horizon;
    *c = (struct fd_cohort){.span_ns = span};
    // What was seen often enough stays so, however rarely we look now.
    int64_t period = site->until_ns ? site->until_period_ns : clock->period_ns;
    if (watched < span || horizon < LOOKS_MIN * period)
        return;
    int64_t to = end - 2 * horizon, from = to - span > site->began_ns ? to - span : site->began_ns;
    c->horizon_ns = horizon;
    c->closed = joined(clock, site, i, now_ns);
    for (const struct fd_life *l = site->lives; l && l->opened_ns <= to; l = l->next)
        if (!l->before && now_ns - l->used_ns >= horizon)
            put_survivor(c, l->opened_ns, from, to);
}

static void ages(const struct fd_clock *clock, const struct fd_site *site, int64_t now_ns,
                 struct snap_fd_site *ret)
{
    int64_t end = end_of(site, now_ns);
    for (const struct fd_life *l = site->lives; l; l = l->next) {
        for (int i = 0; i < FD_HORIZONS && now_ns - l->opened_ns >= fd_horizon_ns(clock, i); i++)
            ret->cohorts[i].aged++;
        if (!l->before && l->opened_ns < end)
            ret->sixths[part_of(l->opened_ns, site->began_ns, end, 6)]++;
    }
}

void fd_site_facts(const struct fd_clock *clock, struct fd_site *site, int64_t now_ns,
                   struct snap_fd_site *ret)
{
    ret->opened = site->opened;
    ret->closed = site->closed;
    ret->open = site->open;
    ret->oldest_ns = site->lives ? now_ns - site->lives->opened_ns : SNAP_UNKNOWN;
    ret->growth_per_s = growth_of(site);
    ret->watched_ns = end_of(site, now_ns) - site->began_ns;
    ret->never_closed = site->closed == 0;
    memset(ret->sixths, 0, sizeof(ret->sixths));
    for (int i = 0; i < FD_HORIZONS; i++)
        cohort(clock, site, i, now_ns, &ret->cohorts[i]);
    ret->ncohorts = FD_HORIZONS;
    ages(clock, site, now_ns, ret);
}
