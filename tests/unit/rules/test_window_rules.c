// Rules on what lasts: each fires on its case, and not on the healthy twin.
#include "facts.h"

#include <math.h>
#include <string.h>

static const struct finding *judge(struct rules *r, struct snap *s, const char *rule)
{
    rules_judge(r, s);
    return facts_finding(s, rule);
}

// Judges s alone and lets go of all but the answer.
static bool fires(struct snap *s, const char *rule, enum severity *severity)
{
    struct rules *r = facts_rules(NULL);
    const struct finding *f = judge(r, s, rule);
    bool found = f != NULL;
    if (f && severity)
        *severity = f->severity;
    snap_unref(s);
    rules_free(r);
    return found;
}

static struct snap *saturated(double now_s, double busy, double p99_ms)
{
    struct snap *s = facts_new(now_s);
    struct snap_loop *l = facts_loop(s);
    l->busy_ratio = busy;
    l->window.turn_p99_ns = (int64_t)(p99_ms * 1e6);
    l->window.turn_max_ns = l->window.turn_p99_ns + MS;
    return s;
}

static void test_saturated(void **state)
{
    (void)state;
    enum severity severity;
    assert_true(fires(saturated(20, 0.97, 5), "loop-saturated", &severity));
    assert_int_equal(severity, SEV_INFO);
    assert_true(fires(saturated(20, 0.97, 60), "loop-saturated", &severity));
    assert_int_equal(severity, SEV_WARNING);
    assert_false(fires(saturated(20, 0.90, 60), "loop-saturated", NULL));
    assert_false(fires(saturated(5, 0.99, 60), "loop-saturated", NULL)); // too early
}

static void test_saturated_is_not_one_block(void **state)
{
    (void)state;
    struct snap *s = saturated(20, 1.0, 5);
    facts_loop(s)->blocked_ns = 9 * SECOND;
    assert_false(fires(s, "loop-saturated", NULL));
    s = saturated(20, 1.0, 5);
    facts_loop(s)->window.turn_max_ns = 4 * SECOND;
    assert_false(fires(s, "loop-saturated", NULL));
    s = saturated(20, 1.0, 5);
    facts_loop(s)->window.turns = 3;
    assert_false(fires(s, "loop-saturated", NULL));
}

static void test_too_early_is_said(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(3);
    rules_judge(r, s);
    assert_true(facts_not_judged(s, "loop-saturated"));
    assert_true(facts_not_judged(s, "self-degraded"));
    snap_unref(s);
    s = facts_new(100);
    rules_judge(r, s);
    assert_false(facts_not_judged(s, "loop-saturated"));
    assert_false(facts_not_judged(s, "self-degraded"));
    snap_unref(s);
    rules_free(r);
}

static struct snap *spinning(double now_s, int64_t polls, int64_t window_s)
{
    struct snap *s = facts_new(now_s);
    facts_loop(s)->window.polls_empty = polls;
    facts_loop(s)->window.window_ns = window_s * SECOND;
    facts_loop(s)->window.hot_fd = 9;
    return s;
}

static void test_spin(void **state)
{
    (void)state;
    assert_true(fires(spinning(20, 110000, 10), "loop-spin", NULL));
    assert_false(fires(spinning(20, 90000, 10), "loop-spin", NULL));
    assert_false(fires(spinning(3, 60000, 3), "loop-spin", NULL)); // not for 5 s yet
    struct rules *r = facts_rules(NULL);
    struct snap *s = spinning(20, SNAP_UNKNOWN, 10);
    assert_null(judge(r, s, "loop-spin"));
    assert_true(facts_not_judged(s, "loop-spin")); // unknown is not zero
    snap_unref(s);
    rules_free(r);
}

static struct snap *starved(double p99_ms, double share, int64_t turns)
{
    struct snap *s = facts_new(20);
    struct loop_window *w = &facts_loop(s)->window;
    w->runqueue_p99_ns = (int64_t)(p99_ms * 1e6);
    w->runqueue_ns = (int64_t)(share * (double)w->window_ns);
    w->turns = turns;
    w->starved_by = "cc1 (99)";
    return s;
}

static void test_starved(void **state)
{
    (void)state;
    assert_true(fires(starved(55, 0.01, 1000), "loop-starved", NULL));
    assert_false(fires(starved(45, 0.01, 1000), "loop-starved", NULL));
    assert_false(fires(starved(55, 0.01, 20), "loop-starved", NULL)); // too few for a percentile
    assert_true(fires(starved(5, 0.25, 20), "loop-starved", NULL));
    assert_false(fires(starved(5, 0.15, 20), "loop-starved", NULL));
    struct rules *r = facts_rules(NULL);
    struct snap *s = starved(55, 0.3, 1000);
    assert_non_null(strstr(judge(r, s, "loop-starved")->title, "cc1 (99)"));
    snap_unref(s);
    rules_free(r);
}

static struct snap *summed(double now_s, enum cause_kind kind, int calls, double total_ms)
{
    struct snap *s = facts_new(now_s);
    facts_calls(s, kind, kind == CAUSE_LOCK ? "futex" : "pread64", "load", calls, total_ms);
    return s;
}

static void test_sums_of_calls(void **state)
{
    (void)state;
    assert_true(fires(summed(20, CAUSE_SYSCALL, 50, 600), "loop-sync-io", NULL));
    assert_false(fires(summed(20, CAUSE_SYSCALL, 50, 400), "loop-sync-io", NULL));
    assert_false(fires(summed(20, CAUSE_SYSCALL, 4, 390), "loop-sync-io", NULL));
    assert_false(fires(summed(1, CAUSE_SYSCALL, 50, 600), "loop-sync-io", NULL)); // warm-up
    assert_true(fires(summed(20, CAUSE_LOCK, 50, 600), "loop-lock", NULL));
    assert_false(fires(summed(20, CAUSE_LOCK, 50, 400), "loop-lock", NULL));
    struct snap *s = summed(20, CAUSE_SYSCALL, 50, 150);
    s->calls[0].cause.is_log = true;
    assert_true(fires(s, "loop-sync-log", NULL)); // a log's limit is lower
    s = summed(20, CAUSE_SYSCALL, 50, 600);
    s->calls[0].cause.is_log = true;
    assert_false(fires(s, "loop-sync-io", NULL));
}

static void test_sums_are_by_culprit(void **state)
{
    (void)state;
    struct snap *s = summed(20, CAUSE_SYSCALL, 50, 300);
    facts_calls(s, CAUSE_SYSCALL, "pread64", "load", 50, 300)->cause.fd = 8;
    assert_true(fires(s, "loop-sync-io", NULL)); // two descriptors, one culprit
    s = summed(20, CAUSE_SYSCALL, 50, 300);
    facts_calls(s, CAUSE_SYSCALL, "pread64", "save", 50, 300);
    assert_false(fires(s, "loop-sync-io", NULL));
}

static void test_stalls_are_not_told_twice(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    struct snap_stall *k = facts_stall(s, 1, 700, CAUSE_LOCK, "futex");
    facts_look(s, k, "take");
    facts_end(k, s);
    rules_judge(r, s);
    snap_unref(s);
    s = facts_new(21);
    struct snap_calls *c = facts_calls(s, CAUSE_LOCK, "futex", NULL, 3, 702);
    c->max_ns = 700 * MS;
    rules_judge(r, s);
    assert_int_equal(s->nfindings, 1); // 2 ms beside the stall are nobody's trouble
    snap_unref(s);
    rules_free(r);
}

static void test_pool(void **state)
{
    (void)state;
    struct snap *s = facts_new(20);
    facts_loop(s)->window.pool_busy_ns = 300 * MS;
    assert_true(fires(s, "pool-exhausted", NULL));
    s = facts_new(20);
    facts_loop(s)->window.pool_busy_ns = 50 * MS;
    assert_false(fires(s, "pool-exhausted", NULL));
    s = facts_new(20);
    facts_loop(s)->window.pool_busy_ns = SNAP_UNKNOWN;
    assert_false(fires(s, "pool-exhausted", NULL));
}

static struct snap *with_fds(double now_s, int64_t count)
{
    struct snap *s = facts_new(now_s);
    s->processes[0].fd_count = count;
    return s;
}

static void test_fd_limit(void **state)
{
    (void)state;
    enum severity severity;
    assert_false(fires(with_fds(20, 818), "fd-limit", NULL));
    assert_true(fires(with_fds(20, 820), "fd-limit", &severity));
    assert_int_equal(severity, SEV_WARNING);
    assert_true(fires(with_fds(20, 980), "fd-limit", &severity));
    assert_int_equal(severity, SEV_CRITICAL);
    assert_false(fires(with_fds(20, SNAP_UNKNOWN), "fd-limit", NULL));
    struct rules *r = facts_rules(NULL);
    struct snap *s = with_fds(20, 900);
    rules_judge(r, s);
    snap_unref(s);
    s = with_fds(30, 920);
    assert_non_null(facts_evidence(judge(r, s, "fd-limit"), "forecast"));
    snap_unref(s);
    rules_free(r);
}

static struct snap *with_zombies(int64_t count, int64_t age_s)
{
    struct snap *s = facts_new(100);
    s->processes[0].zombies = count;
    s->processes[0].zombie_oldest_ns = age_s * SECOND;
    s->processes[0].zombie_command = "sh";
    return s;
}

static void test_zombies(void **state)
{
    (void)state;
    assert_true(fires(with_zombies(5, 61), "child-zombie", NULL));
    assert_false(fires(with_zombies(4, 61), "child-zombie", NULL));
    assert_false(fires(with_zombies(5, 59), "child-zombie", NULL));
}

static void test_self(void **state)
{
    (void)state;
    enum severity severity;
    struct snap *s = facts_new(70);
    s->agent.cpu_ratio = 0.02;
    assert_true(fires(s, "self-degraded", &severity));
    assert_int_equal(severity, SEV_INFO);
    s = facts_new(40);
    s->agent.cpu_ratio = 0.02; // attaching is in that figure
    assert_false(fires(s, "self-degraded", NULL));
    s = facts_new(20);
    s->agent.lost_records = 3;
    assert_true(fires(s, "self-degraded", NULL));
    assert_false(fires(facts_new(70), "self-degraded", NULL));
}

static void test_what_lasts_is_one_finding(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    for (int t = 20; t < 50; t++) {
        struct snap *s = saturated(t, 0.99, 5);
        const struct finding *f = judge(r, s, "loop-saturated");
        assert_int_equal(f->count, 1);
        assert_int_equal(facts_events(s, EVENT_OPEN), t == 20);
        assert_int_equal(f->first_seen_ns, 20 * SECOND);
        snap_unref(s);
    }
    rules_free(r);
}

static struct snap_fd_site *fd_site(struct snap *s)
{
    s->nfds = 1;
    s->fds = snap_alloc(s, sizeof(*s->fds));
    s->fds[0] = (struct snap_fd_site){.pid = s->processes[0].pid,
                                      .kind = "file",
                                      .open = 9,
                                      .opened = 20,
                                      .closed = 11,
                                      .task = {.name = "import", .spawn_site = "jobs.c:12"},
                                      .task_open = 9,
                                      .orphans = 3,
                                      .orphan_tasks = 3,
                                      .orphan_span_ns = 2 * SECOND,
                                      .orphan_oldest_ns = 3 * SECOND};
    return &s->fds[0];
}

static void test_fd_orphan(void **state)
{
    (void)state;
    struct snap *s = facts_new(20);
    fd_site(s);
    struct rules *r = facts_rules(NULL);
    const struct finding *f = judge(r, s, "fd-orphan");
    assert_non_null(f);
    assert_string_equal(f->task.spawn_site, "jobs.c:12");
    snap_unref(s);
    rules_free(r);
}

// One may have handed it on; several that ended at once too, when they made a pool.
static void test_fd_orphan_needs_more_than_one(void **state)
{
    (void)state;
    struct snap *s = facts_new(20);
    fd_site(s)->orphan_tasks = 1;
    assert_false(fires(s, "fd-orphan", NULL));
    s = facts_new(20);
    fd_site(s)->orphan_span_ns = SECOND / 10;
    assert_false(fires(s, "fd-orphan", NULL));
    s = facts_new(20);
    fd_site(s)->orphans = 0;
    assert_false(fires(s, "fd-orphan", NULL));
    s = facts_new(20);
    fd_site(s)->task.spawn_site = NULL;
    assert_false(fires(s, "fd-orphan", NULL));
}

// Where most tasks are cancelled it is the other rule's.
static void test_fd_orphan_by_cancel(void **state)
{
    (void)state;
    struct snap *s = facts_new(20);
    fd_site(s);
    s->ntask_sites = 1;
    s->task_sites = snap_alloc(s, sizeof(*s->task_sites));
    s->task_sites[0] = (struct snap_task_site){
        .pid = s->processes[0].pid, .site = "jobs.c:12", .cancelled = 9, .completed = 1};
    assert_false(fires(s, "fd-orphan", NULL));
}

static struct snap *with_cohort(bool is_handle, int64_t closed)
{
    struct snap *s = facts_new(900);
    struct snap_fd_site *f = fd_site(s);
    f->kind = is_handle ? "uv_timer" : "file";
    f->is_handle = is_handle;
    f->orphans = 0;
    f->watched_ns = 900 * SECOND;
    f->ncohorts = 1;
    f->cohorts = snap_alloc(s, sizeof(*f->cohorts));
    f->cohorts[0] = (struct fd_cohort){.horizon_ns = 30 * SECOND,
                                       .survivors = 40,
                                       .closed = closed,
                                       .quarters = {10, 10, 10, 10},
                                       .span_ns = 300 * SECOND};
    s->processes[0].fd_count = 100;
    return s;
}

static void test_handle_leak(void **state)
{
    (void)state;
    assert_true(fires(with_cohort(true, 0), "handle-leak", NULL));
    assert_false(fires(with_cohort(true, 0), "fd-leak", NULL)); // they are no descriptors
    assert_false(fires(with_cohort(true, 5), "handle-leak", NULL));
    assert_false(fires(with_cohort(false, 0), "handle-leak", NULL));
}

static double evidence(const struct finding *f, const char *key)
{
    for (int i = 0; i < f->nevidence; i++)
        if (strcmp(f->evidence[i].key, key) == 0)
            return f->evidence[i].value;
    return -1;
}

// 40 in 300 s, 924 to go: 6930 s, sure to twice the root of 40.
static void test_fd_leak_forecast(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = with_cohort(false, 0);
    const struct finding *f = judge(r, s, "fd-leak");
    assert_non_null(f);
    assert_true(fabs(evidence(f, "forecast") / 1e9 - 6930) < 1);
    assert_true(fabs(evidence(f, "forecast_soonest") / 1e9 - 924 / (52.649 / 300)) < 2);
    assert_string_equal(f->task.spawn_site, "jobs.c:12");
    snap_unref(s);
    rules_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saturated),
        cmocka_unit_test(test_saturated_is_not_one_block),
        cmocka_unit_test(test_too_early_is_said),
        cmocka_unit_test(test_spin),
        cmocka_unit_test(test_starved),
        cmocka_unit_test(test_sums_of_calls),
        cmocka_unit_test(test_sums_are_by_culprit),
        cmocka_unit_test(test_stalls_are_not_told_twice),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_fd_limit),
        cmocka_unit_test(test_fd_orphan),
        cmocka_unit_test(test_fd_orphan_needs_more_than_one),
        cmocka_unit_test(test_fd_orphan_by_cancel),
        cmocka_unit_test(test_handle_leak),
        cmocka_unit_test(test_fd_leak_forecast),
        cmocka_unit_test(test_zombies),
        cmocka_unit_test(test_self),
        cmocka_unit_test(test_what_lasts_is_one_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
