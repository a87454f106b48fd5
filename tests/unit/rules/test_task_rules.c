// Rules on tasks: each fires when its flag or count has held for long enough, and not before.
#include "facts.h"

#include <math.h>
#include <string.h>

static struct snap *with_task(double now_s, unsigned flags, enum task_state state)
{
    struct snap *s = facts_new(now_s);
    s->tasks_total = 1;
    s->host.cpus = 2;
    s->tasks = snap_alloc(s, sizeof(*s->tasks) * 4);
    s->tasks[s->ntasks++] =
        (struct snap_task){.id = "T1",
                           .name = "fetch",
                           .pid = FACTS_PID,
                           .tid = FACTS_PID,
                           .state = state,
                           .flags = flags,
                           .age_ns = (int64_t)(now_s * 1e9),
                           .spawn_site = "/src/app.py:12",
                           .await_site = "/src/app.py:30",
                           .error = flags & TASKF_ERROR_UNREAD ? "ValueError: x" : NULL};
    return s;
}

// Shows the same task each second; the second from which the rule fires, or -1.
static int fires_at(const char *rule, unsigned flags, enum task_state state, int seconds)
{
    struct rules *r = facts_rules(NULL);
    int fired = -1;
    for (int t = 10; t <= 10 + seconds && fired < 0; t++) {
        struct snap *s = with_task(t, flags, state);
        rules_judge(r, s);
        const struct finding *f = facts_finding(s, rule);
        if (f) {
            fired = t - 10;
            assert_non_null(strstr(f->title, "fetch"));
            assert_non_null(strstr(f->title, "app.py:12"));
            assert_string_equal(f->task.id, "T1");
            assert_non_null(facts_evidence(f, "tasks"));
        }
        snap_unref(s);
    }
    rules_free(r);
    return fired;
}

static void test_flags_fire_after_their_time(void **state)
{
    (void)state;
    assert_int_equal(fires_at("task-orphan", TASKF_ORPHANED, TASK_WAITING, 20), 5);
    assert_int_equal(fires_at("task-timeout-runs-on", TASKF_TIMED_OUT, TASK_WAITING, 20), 1);
    assert_int_equal(fires_at("task-cancel-ignored", TASKF_CANCEL_REQUESTED, TASK_WAITING, 20), 5);
    assert_int_equal(fires_at("task-never-awaited", TASKF_NEVER_AWAITED, TASK_NEW, 20), 1);
    assert_int_equal(fires_at("task-never-awaited", TASKF_NEVER_STARTED, TASK_NEW, 20), 1);
    assert_int_equal(fires_at("task-never-awaited", TASKF_UNHELD, TASK_WAITING, 20), 1);
    assert_int_equal(fires_at("task-never-awaited", TASKF_UNHELD | TASKF_ORPHANED, TASK_WAITING, 9),
                     -1);
    assert_int_equal(fires_at("task-error-unread", TASKF_ERROR_UNREAD, TASK_FAILED, 90), 60);
    assert_int_equal(fires_at("task-deadlock", TASKF_CYCLE, TASK_WAITING, 20), 1);
    assert_int_equal(fires_at("task-stuck", TASKF_STUCK, TASK_WAITING, 20), 0);
    assert_int_equal(fires_at("task-self-wake", TASKF_SELF_WAKING, TASK_READY, 20), 0);
}

static void test_healthy_twins_do_not(void **state)
{
    (void)state;
    assert_int_equal(fires_at("task-orphan", 0, TASK_WAITING, 90), -1);
    assert_int_equal(fires_at("task-orphan", TASKF_ORPHANED | TASKF_DETACHED, TASK_WAITING, 90),
                     -1);
    assert_int_equal(fires_at("task-orphan", TASKF_ORPHANED, TASK_DONE, 90), -1);
    assert_int_equal(fires_at("task-cancel-ignored", TASKF_CANCEL_REQUESTED, TASK_CANCELLED, 90),
                     -1);
    assert_int_equal(fires_at("task-timeout-runs-on", TASKF_TIMED_OUT, TASK_DONE, 90), -1);
    assert_int_equal(fires_at("task-deadlock", TASKF_CYCLE | TASKF_UNSTABLE, TASK_WAITING, 90), -1);
}

static void test_a_flag_that_comes_and_goes_starts_anew(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    for (int t = 10; t < 70; t++) { // there for 3 s, then gone for 17
        struct snap *s = with_task(t, t % 20 < 3 ? TASKF_ORPHANED : 0, TASK_WAITING);
        rules_judge(r, s);
        assert_null(facts_finding(s, "task-orphan"));
        snap_unref(s);
    }
    rules_free(r);
}

static void test_blocked_loop_starts_nothing(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    for (int t = 10; t < 20; t++) {
        struct snap *s = with_task(t, TASKF_NEVER_STARTED, TASK_NEW);
        facts_loop(s)->blocked_ns = SECOND;
        rules_judge(r, s);
        assert_null(facts_finding(s, "task-never-awaited"));
        snap_unref(s);
    }
    rules_free(r);
}

// Snapshots that repeat one reading: the task may have ended right after it.
static void test_what_was_read_once_is_not_judged(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    for (int t = 10; t <= 13; t++) {
        struct snap *s = with_task(t, TASKF_UNHELD, TASK_WAITING);
        s->tasks[0].age_ns = 0;
        rules_judge(r, s);
        assert_null(facts_finding(s, "task-never-awaited"));
        snap_unref(s);
    }
    rules_free(r);
}

static void test_unreadable_tasks_are_not_judged(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(20);
    s->tasks_total = SNAP_UNKNOWN;
    rules_judge(r, s);
    assert_true(facts_not_judged(s, "task-orphan"));
    assert_true(facts_not_judged(s, "task-unbounded"));
    snap_unref(s);
    rules_free(r);
}

static struct snap *with_site(double now_s, int64_t live, double growth)
{
    struct snap *s = facts_new(now_s);
    s->tasks_total = live;
    s->host.cpus = 2;
    s->task_sites = snap_alloc(s, sizeof(*s->task_sites) * 2);
    s->task_sites[s->ntask_sites++] = (struct snap_task_site){.pid = FACTS_PID,
                                                              .site = "/src/app.py:12",
                                                              .name = "fetch",
                                                              .live = live,
                                                              .growth_per_s = growth};
    return s;
}

static int unbounded(int64_t live, double growth)
{
    struct rules *r = facts_rules(NULL);
    struct snap *s = with_site(60, live, growth);
    rules_judge(r, s);
    const struct finding *f = facts_finding(s, "task-unbounded");
    int severity = f ? (int)f->severity : -1;
    snap_unref(s);
    rules_free(r);
    return severity;
}

static void test_unbounded(void **state)
{
    (void)state;
    assert_int_equal(unbounded(101, 5), SEV_WARNING);
    assert_int_equal(unbounded(100, 5), -1);
    assert_int_equal(unbounded(150, 0), -1);   // many, and steady
    assert_int_equal(unbounded(150, NAN), -1); // too early
    assert_int_equal(unbounded(201, 0), SEV_CRITICAL);
}

static void test_fail_rate(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    bool fired = false;
    for (int t = 0; t < 60; t++) { // one in two fails, one a second
        struct snap *s = with_site(10 + t, 3, 0);
        s->task_sites[0].failed = 1000 + t / 2; // what failed before we came does not count
        s->task_sites[0].completed = t / 2;
        rules_judge(r, s);
        fired = facts_finding(s, "task-fail-rate") != NULL;
        if (t < 15)
            assert_false(fired);
        snap_unref(s);
    }
    assert_true(fired);
    rules_free(r);
    r = facts_rules(NULL);
    for (int t = 0; t < 100; t++) { // one in a hundred
        struct snap *s = with_site(10 + t, 3, 0);
        s->task_sites[0].failed = t / 10;
        s->task_sites[0].completed = t * 10;
        rules_judge(r, s);
        assert_null(facts_finding(s, "task-fail-rate"));
        snap_unref(s);
    }
    rules_free(r);
}

// What spins for a part of each second shows in no row when the picture is taken: the looks are counted.
static bool self_wakes(int64_t looks_a_second, int64_t own_a_second)
{
    struct rules *r = facts_rules(NULL);
    bool fired = false;
    for (int t = 0; t < 6; t++) {
        struct snap *s = with_site(10 + t, 1, 0);
        s->task_sites[0].busy_looks = 500 + t * looks_a_second;
        s->task_sites[0].self_wakes = 500 + t * own_a_second;
        rules_judge(r, s);
        const struct finding *f = facts_finding(s, "task-self-wake");
        if (f) {
            assert_string_equal(f->task.spawn_site, "/src/app.py:12");
            assert_int_equal(f->severity, SEV_INFO);
        }
        fired |= f != NULL;
        snap_unref(s);
    }
    rules_free(r);
    return fired;
}

static void test_self_wake_by_site(void **state)
{
    (void)state;
    assert_true(self_wakes(3, 2));
    assert_false(self_wakes(4, 2)); // half of them is not more than half
    assert_false(self_wakes(0, 0)); // what was before we came does not count
}

// Tasks of a site that ended, most of them cancelled or not, and a descriptor that one of them has left.
static bool cancel_leaks(int64_t cancelled, int64_t completed, const char *opener, double age_s)
{
    struct rules *r = facts_rules(NULL);
    struct snap *s = with_site(60, 1, 0);
    s->task_sites[0].cancelled = cancelled;
    s->task_sites[0].completed = completed;
    s->processes[0].fd_count = 20;
    s->fds = snap_alloc(s, sizeof(*s->fds));
    s->fds[s->nfds++] = (struct snap_fd_site){.pid = FACTS_PID,
                                              .kind = "file",
                                              .open = 3,
                                              .task = {"7", "fetch", opener, NULL},
                                              .task_open = 3,
                                              .orphans = 2,
                                              .orphan_tasks = 2,
                                              .orphan_oldest_ns = (int64_t)(age_s * 1e9)};
    rules_judge(r, s);
    const struct finding *f = facts_finding(s, "task-cancel-leak");
    if (f) {
        assert_string_equal(f->task.spawn_site, opener);
        assert_non_null(strstr(f->title, "2 file descriptors"));
    }
    bool fired = f != NULL;
    snap_unref(s);
    rules_free(r);
    return fired;
}

static void test_cancel_leak_by_its_opener(void **state)
{
    (void)state;
    assert_true(cancel_leaks(3, 1, "/src/app.py:12", 1));
    assert_false(cancel_leaks(3, 4, "/src/app.py:12", 1)); // they end otherwise: fd-orphan's
    assert_false(cancel_leaks(3, 1, "/src/app.py:99", 1)); // another site's
    assert_false(cancel_leaks(3, 1, "/src/app.py:12", 0.9));
    assert_false(cancel_leaks(0, 0, "/src/app.py:12", 5));
}

// Two asyncio tasks that await each other: each is the other's awaiter.
static void test_cycle_is_drawn(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    const char *cycle = NULL;
    for (int t = 10; t <= 12; t++) {
        struct snap *s = with_task(t, TASKF_CYCLE, TASK_WAITING);
        s->tasks[1] = s->tasks[0];
        s->ntasks = 2;
        s->tasks[0].parent = s->tasks[1].id = "T2";
        s->tasks[1].parent = "T1";
        s->tasks[1].name = "store";
        rules_judge(r, s);
        const struct finding *f = facts_finding(s, "task-deadlock");
        cycle = f ? facts_evidence(f, "cycle") : NULL;
        assert_true(t < 11 || cycle != NULL);
        if (cycle)
            assert_string_equal(cycle, "fetch -> store -> fetch");
        snap_unref(s);
    }
    rules_free(r);
}

// One call that was proved, `ago_s` before now.
static struct snap *with_misuse(double now_s, double ago_s)
{
    struct snap *s = facts_new(now_s);
    s->processes[0].misuse.calls = 0;
    s->misuses = snap_alloc(s, sizeof(*s->misuses) * 2);
    s->misuses[s->nmisuses++] = (struct snap_misuse){.pid = FACTS_PID,
                                                     .tid = 4720,
                                                     .loop_tid = FACTS_PID,
                                                     .function = "uv_write",
                                                     .thread = "worker",
                                                     .loop = "0x1000",
                                                     .calls = 3,
                                                     .last_ns = (int64_t)((now_s - ago_s) * 1e9)};
    return s;
}

static void test_a_call_from_a_wrong_thread_is_told_while_it_is_new(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = with_misuse(100, 1);
    rules_judge(r, s);
    const struct finding *f = facts_finding(s, "thread-unsafe");
    assert_non_null(f);
    assert_non_null(strstr(f->title, "uv_write called from thread 4720 (worker)"));
    assert_non_null(strstr(facts_evidence(f, "owner"), "0x1000 belongs to thread 4711"));
    assert_non_null(strstr(f->remedy[0], "uv_async_send"));
    assert_non_null(strstr(f->verify, "--thread-checks"));
    snap_unref(s);
    rules_free(r);

    r = facts_rules(NULL);
    s = with_misuse(100, 61); // the window is a minute
    rules_judge(r, s);
    assert_null(facts_finding(s, "thread-unsafe"));
    assert_false(facts_not_judged(s, "thread-unsafe"));
    snap_unref(s);
    rules_free(r);
}

static void test_a_libuv_that_is_not_watched_is_not_judged(void **state)
{
    (void)state;
    struct rules *r = facts_rules(NULL);
    struct snap *s = facts_new(100);
    s->processes[0].misuse.calls = SNAP_UNKNOWN;
    s->processes[0].misuse.why_not = "only with --thread-checks";
    rules_judge(r, s);
    assert_true(facts_not_judged(s, "thread-unsafe"));
    snap_unref(s);
    rules_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_from_a_wrong_thread_is_told_while_it_is_new),
        cmocka_unit_test(test_a_libuv_that_is_not_watched_is_not_judged),
        cmocka_unit_test(test_flags_fire_after_their_time),
        cmocka_unit_test(test_healthy_twins_do_not),
        cmocka_unit_test(test_a_flag_that_comes_and_goes_starts_anew),
        cmocka_unit_test(test_blocked_loop_starts_nothing),
        cmocka_unit_test(test_what_was_read_once_is_not_judged),
        cmocka_unit_test(test_unreadable_tasks_are_not_judged),
        cmocka_unit_test(test_unbounded),
        cmocka_unit_test(test_fail_rate),
        cmocka_unit_test(test_self_wake_by_site),
        cmocka_unit_test(test_cancel_leak_by_its_opener),
        cmocka_unit_test(test_cycle_is_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
