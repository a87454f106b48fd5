// Tasks: results, errors, cancellation, wrong use.
#include "lib_test.h"

#include <pthread.h>

static int64_t give(void *arg)
{
    return (intptr_t)arg;
}

static int64_t sleep_long(void *arg)
{
    int r = ls_sleep(LS_SEC(3600));
    if (arg)
        *(int *)arg = r;
    return r;
}

TEST(await_returns_value_or_error)
{
    assert_int_equal(ls_await(ls_spawn(give, (void *)42)), 42);
    assert_int_equal(ls_await(ls_spawn(give, (void *)(intptr_t)-EIO)), -EIO);
    static int object;
    assert_ptr_equal((void *)(intptr_t)ls_await(ls_spawn(give, &object)), &object);
}

TEST(child_runs_at_the_next_await_point)
{
    int done = 0;
    ls_task t = ls_spawn(sleep_long, &done);
    assert_true(ls_alive(t));
    ls_yield();
    assert_int_equal(done, 0);
    assert_int_equal(ls_cancel(t), 0);
    assert_int_equal(done, 0);
    assert_int_equal(ls_await(t), -ECANCELED);
    assert_int_equal(done, -ECANCELED);
}

TEST(handle_is_stale_after_await)
{
    ls_task t = ls_spawn(give, (void *)1);
    assert_int_equal(ls_await(t), 1);
    assert_int_equal(ls_await(t), -ESRCH);
    assert_int_equal(ls_cancel(t), -ESRCH);
    assert_false(ls_alive(t));
    assert_string_equal(ls_name(t), "");
    for (int i = 0; i < 1000; i++) { // its slot is used again; the old handle stays stale
        ls_task other = ls_spawn(give, (void *)2);
        assert_int_equal(ls_await(t), -ESRCH);
        assert_int_equal(ls_await(other), 2);
    }
    assert_int_equal(ls_await((ls_task){0}), -ESRCH);
    assert_int_equal(ls_await((ls_task){INT64_MAX}), -ESRCH);
    assert_int_equal(ls_await((ls_task){-ENOMEM}), -ENOMEM);
}

TEST(cancel_is_idempotent_and_fails_when_ended)
{
    int seen = 0;
    ls_task t = ls_spawn(sleep_long, &seen), ended = ls_spawn(give, NULL);
    ls_yield();
    for (int i = 0; i < 3; i++)
        assert_int_equal(ls_cancel(t), 0);
    assert_int_equal(ls_await(t), -ECANCELED);
    assert_int_equal(ls_cancel(ended), -ESRCH);
    assert_int_equal(ls_await(ended), 0);
}

static int64_t count_start(void *arg)
{
    ++*(int *)arg;
    return ls_yield();
}

TEST(cancelled_before_it_starts_still_runs_to_its_first_await)
{
    int started = 0;
    ls_task t = ls_spawn(count_start, &started);
    assert_int_equal(ls_cancel(t), 0);
    assert_int_equal(ls_await(t), -ECANCELED);
    assert_int_equal(started, 1);
}

static int grandchildren_cancelled;
static int64_t grandchild(void *arg)
{
    (void)arg;
    int r = ls_sleep(LS_SEC(3600));
    grandchildren_cancelled += r == -ECANCELED;
    return r;
}

static int64_t parent_of_many(void *arg)
{
    (void)arg;
    ls_task t[10];
    int64_t r = 0;
    for (int i = 0; i < 10; i++)
        t[i] = ls_spawn(grandchild, NULL);
    for (int i = 0; i < 10; i++)
        r |= ls_await(t[i]);
    return r; // the children that a cancelled await leaves behind are reaped by the runtime
}

TEST(cancel_goes_down_the_tree)
{
    grandchildren_cancelled = 0;
    ls_task t = ls_spawn(parent_of_many, NULL);
    ls_sleep(LS_MSEC(2));
    ls_cancel(t);
    assert_true(ls_await(t) < 0);
    assert_int_equal(grandchildren_cancelled, 10);
}

TEST(await_for_cancels_and_waits)
{
    int seen = 0;
    int64_t from = ls_now();
    assert_int_equal(ls_await_for(ls_spawn(sleep_long, &seen), LS_MSEC(10)), -ETIMEDOUT);
    assert_int_equal(seen, -ECANCELED); // it has ended before await returned
    assert_true(ls_now() - from >= LS_MSEC(10));
    assert_int_equal(ls_await_for(ls_spawn(give, (void *)5), LS_SEC(10)), 5);
}

TEST(wait_leaves_the_task_alone)
{
    ls_task t = ls_spawn(sleep_long, NULL);
    assert_int_equal(ls_wait(t, LS_MSEC(5)), -ETIMEDOUT);
    assert_true(ls_alive(t));
    ls_cancel(t);
    assert_int_equal(ls_wait(t, LS_FOREVER), 0);
    assert_int_equal(ls_await(t), -ECANCELED);
}

static int64_t leaves_child(void *arg)
{
    ls_task t = ls_spawn(sleep_long, arg);
    ls_yield();
    return ls_alive(t) ? 7 : -EINVAL;
}

TEST(children_left_alive_are_cancelled_and_reported)
{
    int seen = 0;
    assert_int_equal(ls_await(ls_spawn(leaves_child, &seen)), -ECHILD);
    assert_int_equal(seen, -ECANCELED);
}

static int64_t await_it(void *arg)
{
    return ls_await(*(ls_task *)arg);
}

TEST(second_awaiter_and_cycles_are_refused)
{
    ls_task t = ls_spawn(sleep_long, NULL);
    ls_task first = ls_spawn(await_it, &t);
    ls_yield();
    ls_yield();
    assert_int_equal(ls_await(t), -EBUSY);
    ls_task me = ls_self();
    assert_int_equal(ls_await(me), -EDEADLK);
    ls_cancel(t);
    assert_int_equal(ls_await(first), -ECANCELED);
    ls_task circle = ls_spawn(await_it, &me); // waits for us; we wait for it
    assert_int_equal(ls_await(circle), -EDEADLK);
}

static int unread_error;
static char unread_name[32];
static void on_unread(ls_task task, const char *name, const struct ls_site *spawned, int error,
                      void *ctx)
{
    (void)task, (void)ctx;
    assert_non_null(spawned);
    unread_error = error;
    snprintf(unread_name, sizeof(unread_name), "%s", name);
}

static int64_t fail_later(void *arg)
{
    ls_yield();
    return (intptr_t)arg;
}

TEST(error_of_a_detached_task_reaches_the_handler)
{
    ls_on_unread_error(ls_loop_current(), on_unread, NULL);
    ls_task t = ls_spawn(fail_later, (void *)(intptr_t)-EPIPE);
    assert_int_equal(ls_detach(t, NULL), -EINVAL);
    assert_int_equal(ls_detach(t, "sender"), 0);
    assert_int_equal(ls_await(t), -EINVAL);
    unread_error = 0;
    ls_sleep(LS_MSEC(2));
    assert_int_equal(unread_error, -EPIPE);
    assert_string_equal(unread_name, "sender");
    assert_int_equal(ls_spawn_detached("other", fail_later, (void *)(intptr_t)-EBADF), 0);
    ls_sleep(LS_MSEC(2));
    assert_int_equal(unread_error, -EBADF);
}

TEST(names_and_parents)
{
    ls_task t = ls_spawn(sleep_long, NULL);
    assert_string_equal(ls_name(t), "sleep_long");
    assert_int_equal(ls_set_name(t, "a name that is much longer than what is kept"), 0);
    assert_string_equal(ls_name(t), "a name that is much lon");
    assert_int_equal(ls_parent().id, 0);
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ECANCELED);
}

static const int key_a, key_b;
static int64_t read_locals(void *arg)
{
    (void)arg;
    if (ls_local_get(&key_a) != (void *)1 || ls_local_get(&key_b) != (void *)2)
        return -EINVAL;
    ls_local_set(&key_a, (void *)9); // not seen by the parent
    return ls_local_get(&key_a) == (void *)9 ? 0 : -EINVAL;
}

TEST(locals_are_inherited_and_private)
{
    assert_null(ls_local_get(&key_a));
    ls_local_set(&key_a, (void *)1);
    ls_local_set(&key_b, (void *)2);
    ls_task t = ls_spawn(read_locals, NULL);
    ls_local_set(&key_b, (void *)3); // the child has the values of its spawn
    assert_int_equal(ls_await(t), 0);
    assert_ptr_equal(ls_local_get(&key_a), (void *)1);
    assert_ptr_equal(ls_local_get(&key_b), (void *)3);
}

static void *wrong_thread(void *arg)
{
    ls_task t = *(ls_task *)arg;
    long wrong = 0;
    wrong += ls_cancel(t) != -EPERM;
    wrong += ls_await(t) != -EPERM;
    wrong += ls_spawn(give, NULL).id != -EPERM;
    wrong += ls_yield() != -EPERM;
    wrong += ls_sleep(1) != -EPERM;
    return (void *)wrong;
}

TEST(other_threads_are_refused)
{
    pthread_t thread;
    void *wrong;
    ls_task t = ls_spawn(sleep_long, NULL);
    pthread_create(&thread, NULL, wrong_thread, &t);
    pthread_join(thread, &wrong);
    assert_null(wrong);
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ECANCELED);
}

static int64_t cancel_self(void *arg)
{
    (void)arg;
    ls_cancel(ls_self());
    assert_int_equal(ls_check(), -ECANCELED);
    return ls_yield();
}

TEST(a_task_may_cancel_itself)
{
    assert_int_equal(ls_await(ls_spawn(cancel_self, NULL)), -ECANCELED);
}

static int64_t deep(void *arg)
{
    intptr_t n = (intptr_t)arg;
    if (n == 0)
        return ls_sleep(LS_SEC(3600));
    return ls_await(ls_spawn(deep, (void *)(n - 1)));
}

TEST(cancel_of_a_deep_tree)
{
    ls_task t = ls_spawn(deep, (void *)5000);
    ls_sleep(LS_MSEC(20));
    ls_cancel(t);
    assert_true(ls_await(t) < 0);
}

static void outside_tasks(void **state)
{
    (void)state;
    assert_int_equal(ls_yield(), -EPERM);
    assert_int_equal(ls_self().id, 0);
    assert_null(ls_loop_current());
    assert_int_equal(ls_run(give, (void *)3), 3);
    assert_int_equal(ls_run(give, (void *)(intptr_t)-EIO), -EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(await_returns_value_or_error),
        cmocka_unit_test(child_runs_at_the_next_await_point),
        cmocka_unit_test(handle_is_stale_after_await),
        cmocka_unit_test(cancel_is_idempotent_and_fails_when_ended),
        cmocka_unit_test(cancelled_before_it_starts_still_runs_to_its_first_await),
        cmocka_unit_test(cancel_goes_down_the_tree),
        cmocka_unit_test(await_for_cancels_and_waits),
        cmocka_unit_test(wait_leaves_the_task_alone),
        cmocka_unit_test(children_left_alive_are_cancelled_and_reported),
        cmocka_unit_test(second_awaiter_and_cycles_are_refused),
        cmocka_unit_test(error_of_a_detached_task_reaches_the_handler),
        cmocka_unit_test(names_and_parents),
        cmocka_unit_test(locals_are_inherited_and_private),
        cmocka_unit_test(other_threads_are_refused),
        cmocka_unit_test(a_task_may_cancel_itself),
        cmocka_unit_test(cancel_of_a_deep_tree),
        cmocka_unit_test(outside_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
