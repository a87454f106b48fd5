// The cohort rule on histories of two hours, replayed through the model and the very rule: nothing healthy may
// alarm, and leaks must be found in time. The first fourteen are those the rule was designed on; the rest
// were made after it.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uthash.h>

#include "agent/rules/rule.h"
#include "agent/target/fd_sites.h"

#define SECOND 1000000000LL
#define HOURS2 7200.0
#define STEP   10.0 // s between looks of the rule
#define NEVER  1e18
#define SEEDS  3

struct life { // of one descriptor, in seconds
    double opened, closed;
    bool idle; // unused since its opening
    struct fd_life fd;
    bool is_open;
};

struct history {
    struct life *lives;
    int n, capacity;
    uint64_t random;
};

static double uniform(struct history *h)
{
    h->random ^= h->random << 13;
    h->random ^= h->random >> 7;
    h->random ^= h->random << 17;
    return (double)(h->random >> 11) / 9007199254740992.0;
}

static double exponential(struct history *h, double mean)
{
    return -log(1 - uniform(h)) * mean;
}

static void put(struct history *h, double opened, double lifetime, bool idle)
{
    if (h->n == h->capacity) {
        h->capacity = h->capacity ? h->capacity * 2 : 1024;
        h->lives = realloc(h->lives, sizeof(*h->lives) * (size_t)h->capacity);
        assert_non_null(h->lives);
    }
    h->lives[h->n++] = (struct life){.opened = opened, .closed = opened + lifetime, .idle = idle};
}

// Arrivals at `rate` a second, living exponentially with this mean (NEVER: for good).
static void stream(struct history *h, double from, double to, double rate, double mean, bool idle)
{
    for (double t = from + exponential(h, 1 / rate); t < to; t += exponential(h, 1 / rate))
        put(h, t, mean == NEVER ? NEVER : exponential(h, mean), idle);
}

static void requests(struct history *h)
{
    stream(h, 0, HOURS2, 2, 0.08,
           true); // what lives for less than the shortest horizon never matters
}

static void steady(struct history *h)
{
    requests(h);
    stream(h, 0, HOURS2, 0.5, 60, false);
}

static void initial_100(struct history *h)
{
    for (int i = 0; i < 100; i++)
        put(h, uniform(h) * 5, NEVER, true);
}

static void pool_50(struct history *h)
{
    for (int i = 0; i < 50; i++)
        put(h, exponential(h, 120), NEVER, false);
}

static void pool_ramp(struct history *h)
{
    for (int i = 0; i < 200; i++)
        put(h, uniform(h) * 1200, NEVER, false);
}

static void cache(struct history *h, int bound, double rate, bool idle)
{
    int first = h->n;
    double t = 0;
    while ((t += exponential(h, 1 / (rate * (1 - fmin(0.9, (h->n - first) / (bound * 1.11)))))) <
           HOURS2) {
        put(h, t, NEVER, idle);
        if (h->n - first > bound)
            h->lives[h->n - 1 - bound].closed = t;
    }
}

static void lru_cache(struct history *h)
{
    cache(h, 500, 2, false);
}

static void bursts(struct history *h)
{
    for (double b = 300; b < HOURS2; b += 1200)
        for (int i = 0; i < 500; i++)
            put(h, b + uniform(h) * 10, 300 + uniform(h) * 20, false);
}

static void websockets(struct history *h)
{
    stream(h, 0, HOURS2, 1, 1800, false);
}

static void websockets_ramp(struct history *h)
{
    for (double from = 0; from < HOURS2; from += 600)
        stream(h, from, from + 600, 2 * (0.3 + 0.7 * from / HOURS2), 300, false);
}

static void leak_1_in_1000(struct history *h)
{
    requests(h);
    stream(h, 0, HOURS2, 0.2, NEVER, true);
}

static void leak_slow(struct history *h)
{
    requests(h);
    stream(h, 0, HOURS2, 1 / 120.0, NEVER, true);
}

static void leak_error_path(struct history *h)
{
    requests(h);
    for (double b = 120; b < HOURS2; b += 600)
        stream(h, b, b + 30, 1, NEVER, true);
}

static void leak_all(struct history *h)
{
    stream(h, 0, HOURS2, 0.1, NEVER, true);
}

static void leak_in_websockets(struct history *h)
{
    stream(h, 0, HOURS2, 0.98, 600, false);
    stream(h, 0, HOURS2, 0.02, NEVER, true);
}

static void leak_late(struct history *h)
{
    requests(h);
    stream(h, 1800, HOURS2, 0.1, NEVER, true);
}

// Made after the rule.

static void rotated_logs(struct history *h) // a file a minute, ten kept
{
    for (double t = 0; t < HOURS2; t += 60)
        put(h, t, 600, true);
}

static void
day_and_night(struct history *h) // load comes and goes, connections are kept alive for 75 s
{
    for (double from = 0; from < HOURS2; from += 60)
        stream(h, from, from + 60, 1 + 0.9 * sin(from / 900), 75, false);
}

static void
pool_refreshed(struct history *h) // each of 40 connections is replaced after a quarter of an hour
{
    for (int i = 0; i < 40; i++)
        for (double t = uniform(h) * 900; t < HOURS2; t += 900)
            put(h, t, 900, true);
}

static void
deploys(struct history *h) // every half hour 80 files are opened for good, the old ones closed
{
    for (double t = 10; t < HOURS2; t += 1800)
        for (int i = 0; i < 80; i++)
            put(h, t + uniform(h) * 20, 1800, true);
}

static void leak_accelerating(struct history *h)
{
    requests(h);
    for (double from = 0; from < HOURS2; from += 300)
        stream(h, from, from + 300, 0.02 + 0.1 * from / HOURS2, NEVER, true);
}

static void leak_beside_cache(struct history *h)
{
    stream(h, 0, HOURS2, 1, 15, true);
    stream(h, 0, HOURS2, 0.05, NEVER, true);
}

static void leak_cancelled(
    struct history *h) // tasks of a minute; one of twenty is cancelled and keeps its file
{
    stream(h, 0, HOURS2, 0.95, 8, true);
    for (double t = 30; t < HOURS2; t += 20)
        put(h, t, NEVER, true);
}

struct expected {
    const char *name;
    void (*make)(struct history *h);
    double within_s; // of the leak's begin at leaks_from; 0: healthy
    double leaks_from;
};

// within: what the design measured, or better. Where 2 % of what is closed lives longer than a minute, the first
// horizon that can tell is two minutes, and it needs sixteen of history.
static const struct expected all[] = {
    {"steady", steady, 0, 0},
    {"initial 100", initial_100, 0, 0},
    {"pool of 50", pool_50, 0, 0},
    {"pool ramp", pool_ramp, 0, 0},
    {"LRU cache", lru_cache, 0, 0},
    {"bursts", bursts, 0, 0},
    {"websockets", websockets, 0, 0},
    {"websockets ramp", websockets_ramp, 0, 0},
    {"leak 1 in 1000", leak_1_in_1000, 300, 0},
    {"leak 1 in 2 min", leak_slow, 900, 0},
    {"leak on an error path", leak_error_path, 2430, 120},
    {"leak all", leak_all, 1830, 0},
    {"leak in websockets", leak_in_websockets, 900, 0},
    {"leak late", leak_late, 300, 1800},
    {"rotated logs", rotated_logs, 0, 0},
    {"day and night", day_and_night, 0, 0},
    {"pool refreshed", pool_refreshed, 0, 0},
    {"deploys", deploys, 0, 0},
    {"leak accelerating", leak_accelerating, 600, 0},
    {"leak beside short lives", leak_beside_cache, 970, 0},
    {"leak when cancelled", leak_cancelled, 970, 0},
};

static int by_opening(const void *a, const void *b)
{
    const struct life *x = a, *y = b;
    return (x->opened > y->opened) - (x->opened < y->opened);
}

static int64_t ns(double seconds)
{
    return (int64_t)(seconds * 1e9);
}

// One look of the rules at the site; true: the finding is there.
static bool judge(struct rules *rules, const struct fd_clock *clock, struct fd_site *site,
                  double now)
{
    struct snap *s = snap_new();
    bool found = false;
    s->now_ns = ns(now);
    s->time_scale = clock->scale;
    s->threshold_ns = 100000000;
    s->tasks_total = SNAP_UNKNOWN;
    s->nfds = 1;
    s->fds = snap_alloc(s, sizeof(*s->fds));
    s->fds[0] = (struct snap_fd_site){
        .pid = 1, .kind = "file", .cohorts = snap_alloc(s, sizeof(struct fd_cohort) * FD_HORIZONS)};
    fd_site_facts(clock, site, s->now_ns, &s->fds[0]);
    rules_judge(rules, s);
    for (int i = 0; i < s->nfindings; i++)
        found |= strcmp(s->findings[i].rule, "fd-leak") == 0;
    assert_int_equal(found, strcmp(s->fds[0].verdict, "leak") == 0);
    snap_unref(s);
    return found;
}

static void move(struct history *h, const struct fd_clock *clock, struct fd_site *site, double to,
                 int *next)
{
    for (; *next < h->n && h->lives[*next].opened <= to; (*next)++) {
        struct life *l = &h->lives[*next];
        fd_opened(site, &l->fd, ns(l->opened), false);
        l->is_open = true;
    }
    for (int i = 0; i < *next; i++) {
        struct life *l = &h->lives[i];
        if (!l->is_open)
            continue;
        if (!l->idle)
            fd_used(&l->fd, ns(l->closed < to ? l->closed : to));
        if (l->closed > to)
            continue;
        fd_closed(clock, &l->fd, ns(l->closed));
        l->is_open = false;
    }
    fd_site_tick(clock, site, ns(to));
}

// When the finding first came; NEVER.
static double replay(const struct expected *e, uint64_t seed, double scale)
{
    struct history h = {.random = seed * 0x9e3779b97f4a7c15ULL + 1};
    struct fd_clock clock = {.scale = scale, .period_ns = ns(scale)};
    struct fd_site site = {0};
    struct rules *rules;
    struct error err;
    double found = NEVER;
    int next = 0;
    e->make(&h);
    qsort(h.lives, (size_t)h.n, sizeof(*h.lives), by_opening);
    for (int i = 0; i < h.n; i++) {
        h.lives[i].opened *= scale;
        h.lives[i].closed *= scale;
    }
    assert_int_equal(rules_new(&rules, NULL, 0, scale, &err), 0);
    for (double t = STEP; t < HOURS2 && found == NEVER; t += STEP) {
        move(&h, &clock, &site, t * scale, &next);
        if (judge(rules, &clock, &site, t * scale))
            found = t;
    }
    rules_free(rules);
    free(h.lives);
    return found;
}

static void check(double scale)
{
    int failed = 0;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            const struct expected *e = &all[i];
            double found = replay(e, seed, scale);
            bool ok = e->within_s == 0
                          ? found == NEVER
                          : found >= e->leaks_from && found - e->leaks_from <= e->within_s;
            failed += !ok;
            if (!ok || seed == 1)
                print_message("%-24s seed %d: %s after %.1f min%s\n", e->name, (int)seed,
                              found == NEVER ? "quiet" : "found",
                              found == NEVER ? 0 : (found - e->leaks_from) / 60,
                              ok ? "" : "  WRONG");
        }
    assert_int_equal(failed, 0);
}

static void test_histories(void **state)
{
    (void)state;
    check(1);
}

static void test_time_scale_changes_nothing_but_time(void **state)
{
    (void)state;
    check(0.01);
}

// A site whose openers were followed for a moment, then not, then again, is judged by the second watch alone: what was
// opened in between is not known, so its beginning is none.
static void test_a_resumed_watch_begins_anew(void **state)
{
    (void)state;
    enum { FOLLOWED_S = 20, AGAIN_S = 100, END_S = 1000 };
    const struct fd_clock clock = {.scale = 1, .period_ns = SECOND};
    struct fd_site site = {.began_ns = SECOND};
    struct fd_cohort cohorts[FD_HORIZONS];
    struct snap_fd_site facts = {.cohorts = cohorts};
    struct fd_life lives[END_S + 1] = {0};
    for (int t = 1; t <= END_S; t++) {
        if (t == FOLLOWED_S) {
            site.until_ns = t * SECOND;
            site.until_period_ns = SECOND;
        }
        fd_site_resume(&site, site.until_ns - 1); // the same watch, told late, resumes nothing
        if (t == AGAIN_S)
            fd_site_resume(&site, t * SECOND);
        if (t < FOLLOWED_S || t >= AGAIN_S)
            fd_opened(&site, &lives[t], t * SECOND, false);
        fd_site_tick(&clock, &site, t * SECOND);
        fd_site_facts(&clock, &site, t * SECOND, &facts);
        bool judged = t - AGAIN_S >= 300;
        assert_int_equal(cohorts[0].horizon_ns > 0, judged);
    }
    assert_int_equal(facts.watched_ns, (END_S - AGAIN_S) * SECOND);
    assert_int_equal(facts.open, END_S - AGAIN_S + FOLLOWED_S);
}

// A site that never closes has not closed what was opened since the look; one that opens and closes between two looks
// has, and it stays told when nobody follows any more.
static void counts_what_no_look_has_seen(void **state)
{
    (void)state;
    const struct fd_clock clock = {.scale = 1, .period_ns = SECOND};
    struct fd_site site = {.began_ns = 0};
    struct fd_unseen unseen = {0};
    struct fd_life lives[20] = {0};
    for (int i = 0; i < 20; i++)
        fd_opened(&site, &lives[i], i * SECOND, false);
    fd_unseen_begin(&unseen, &site); // 20 before, one of which ends, are not its
    fd_closed(&clock, &lives[0], 21 * SECOND);
    fd_unseen_count(&unseen, &site, 9, 0);
    assert_int_equal(unseen.n, 0);
    fd_unseen_count(&unseen, &site, 1009, 1001);
    assert_int_equal(unseen.n, 1000);
    fd_closed(&clock, &lives[1], 22 * SECOND);
    fd_unseen_count(&unseen, &site, 1009, 1001);
    assert_int_equal(unseen.n, 1000); // never falls
    fd_unseen_begin(&unseen, &site);  // by another, who begins at 0
    fd_unseen_count(&unseen, &site, 50, 50);
    assert_int_equal(unseen.n, 1050);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_resumed_watch_begins_anew),
        cmocka_unit_test(counts_what_no_look_has_seen),
        cmocka_unit_test(test_histories),
        cmocka_unit_test(test_time_scale_changes_nothing_but_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
