// Groups and gather: limit, fail-fast, collect-all, timeout, what is left open.
#include "lib_test.h"

static int running, most;

static int64_t worker(void *arg)
{
    if (++running > most)
        most = running;
    int r = ls_sleep(LS_MSEC(2));
    running--;
    return r < 0 ? r : (intptr_t)arg;
}

TEST(limit_is_kept_and_results_are_written)
{
    ls_group *g;
    int64_t results[20];
    running = most = 0;
    assert_int_equal(ls_group_open(&g, LS_FAIL_FAST, 3), 0);
    for (int i = 0; i < 20; i++)
        assert_true(ls_group_spawn(g, worker, (void *)(intptr_t)i, &results[i]).id > 0);
    struct ls_group_stats stats;
    ls_group_get_stats(g, &stats);
    assert_int_equal(stats.spawned, 20);
    assert_int_equal(ls_group_wait(g), 0);
    assert_int_equal(most, 3);
    assert_int_equal(running, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(results[i], i);
}

static int64_t give_error(void *arg)
{
    ls_yield();
    return (intptr_t)arg;
}

static int64_t forever(void *arg)
{
    (void)arg;
    return ls_sleep(LS_SEC(3600));
}

TEST(first_error_cancels_the_others)
{
    ls_group *g;
    int64_t results[5];
    ls_group_open(&g, LS_FAIL_FAST, 0);
    for (int i = 0; i < 4; i++)
        ls_group_spawn(g, forever, NULL, &results[i]);
    ls_group_spawn(g, give_error, (void *)(intptr_t)-EIO, &results[4]);
    assert_int_equal(ls_group_wait(g), -EIO);
    for (int i = 0; i < 4; i++)
        assert_int_equal(results[i], -ECANCELED);
    assert_int_equal(results[4], -EIO);
}

TEST(collect_all_keeps_going)
{
    ls_group *g;
    int64_t results[3];
    ls_group_open(&g, LS_COLLECT_ALL, 0);
    ls_group_spawn(g, worker, (void *)7, &results[0]);
    ls_group_spawn(g, give_error, (void *)(intptr_t)-EIO, &results[1]);
    ls_group_spawn(g, worker, (void *)8, &results[2]);
    assert_int_equal(ls_group_wait(g), 0);
    assert_int_equal(results[0], 7);
    assert_int_equal(results[1], -EIO);
    assert_int_equal(results[2], 8);
}

TEST(timeout_cancels_and_waits)
{
    ls_group *g;
    int64_t result = 0;
    ls_group_open(&g, LS_FAIL_FAST, 0);
    ls_group_spawn(g, forever, NULL, &result);
    assert_int_equal(ls_group_wait_for(g, LS_MSEC(5)), -ETIMEDOUT);
    assert_int_equal(result, -ECANCELED);
}

TEST(deadline_over_a_group_cancels_it)
{
    struct ls_deadline d;
    ls_group *g;
    int64_t result = 0;
    ls_deadline_begin(&d, LS_MSEC(5));
    ls_group_open(&g, LS_FAIL_FAST, 1);
    ls_group_spawn(g, forever, NULL, &result);
    assert_int_equal(ls_group_spawn(g, forever, NULL, NULL).id, -ETIMEDOUT); // at the limit
    assert_int_equal(ls_group_wait(g), -ETIMEDOUT);
    assert_int_equal(ls_deadline_end(&d), -ETIMEDOUT);
    assert_int_equal(result, -ECANCELED);
    assert_int_equal(ls_yield(), 0); // over: nothing is left of it
}

static int64_t own_group(void *arg)
{
    ls_group *g;
    ls_group_open(&g, LS_FAIL_FAST, 2);
    ls_group_spawn(g, forever, NULL, arg);
    ls_group_spawn(g, forever, NULL, NULL);
    ls_task blocked = ls_group_spawn(g, forever, NULL, NULL);
    int64_t r = ls_group_wait(g);
    return blocked.id == -ECANCELED ? r : -EINVAL;
}

TEST(cancel_of_the_owner_reaches_the_group)
{
    int64_t result = 0;
    ls_task t = ls_spawn(own_group, &result);
    ls_sleep(LS_MSEC(2));
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ECANCELED);
    assert_int_equal(result, -ECANCELED);
}

static int64_t forget_group(void *arg)
{
    ls_group *g;
    ls_group_open(&g, LS_FAIL_FAST, 0);
    ls_group_spawn(g, forever, NULL, arg);
    ls_yield();
    return 1;
}

TEST(a_group_left_open_is_ended)
{
    int64_t result = 0;
    assert_int_equal(ls_await(ls_spawn(forget_group, &result)), -ECHILD);
    assert_int_equal(result, -ECANCELED);
}

struct spawner {
    ls_group *group;
    int left;
};

static int64_t spawn_more(void *arg)
{
    struct spawner *s = arg;
    if (s->left-- > 0)
        ls_group_spawn(s->group, spawn_more, s, NULL);
    return ls_yield();
}

TEST(tasks_of_a_group_spawn_into_it)
{
    struct spawner s = {.left = 1000};
    ls_group_open(&s.group, LS_FAIL_FAST, 0);
    ls_group_spawn(s.group, spawn_more, &s, NULL);
    assert_int_equal(ls_group_wait(s.group), 0);
    assert_int_equal(s.left, -1);
}

TEST(group_tasks_are_not_awaited_alone)
{
    ls_group *g;
    ls_group_open(&g, LS_FAIL_FAST, 0);
    ls_task t = ls_group_spawn(g, worker, NULL, NULL);
    assert_int_equal(ls_await(t), -EINVAL);
    assert_int_equal(ls_detach(t, "no"), -EINVAL);
    assert_int_equal(ls_group_wait(g), 0);
}

static int64_t give(void *arg)
{
    return (intptr_t)arg;
}

TEST(gather)
{
    struct ls_job jobs[6] = {{worker, (void *)1}, {give_error, (void *)(intptr_t)-EIO},
                             {worker, (void *)3}, {worker, (void *)4},
                             {worker, (void *)5}, {worker, (void *)6}};
    int64_t results[6];
    running = most = 0;
    assert_int_equal(ls_gather(jobs, 6, 2, results, LS_FOREVER), 1);
    assert_int_equal(results[0], 1);
    assert_int_equal(results[1], -EIO);
    assert_int_equal(results[5], 6);
    assert_true(most <= 2);
    struct ls_job endless[2] = {{forever, NULL}, {give, (void *)2}};
    assert_int_equal(ls_gather(endless, 2, 0, results, LS_MSEC(20)), -ETIMEDOUT);
    assert_int_equal(results[0], -ECANCELED);
    assert_int_equal(results[1], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_is_kept_and_results_are_written),
        cmocka_unit_test(first_error_cancels_the_others),
        cmocka_unit_test(collect_all_keeps_going),
        cmocka_unit_test(timeout_cancels_and_waits),
        cmocka_unit_test(deadline_over_a_group_cancels_it),
        cmocka_unit_test(cancel_of_the_owner_reaches_the_group),
        cmocka_unit_test(a_group_left_open_is_ended),
        cmocka_unit_test(tasks_of_a_group_spawn_into_it),
        cmocka_unit_test(group_tasks_are_not_awaited_alone),
        cmocka_unit_test(gather),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
