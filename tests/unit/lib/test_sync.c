// Semaphore, mutex, event, condition: order, timeouts, cancellation, wrong use.
#include "lib_test.h"

static ls_sem *sem;
static int inside, most, done;

static int64_t use_sem(void *arg)
{
    (void)arg;
    int r = ls_sem_acquire(sem, LS_FOREVER);
    if (r < 0)
        return r;
    if (++inside > most)
        most = inside;
    ls_sleep(LS_MSEC(1));
    inside--;
    done++;
    return ls_sem_release(sem);
}

TEST(semaphore_limits)
{
    ls_group *g;
    most = done = 0;
    assert_int_equal(ls_sem_new(&sem, 3), 0);
    ls_group_open(&g, LS_FAIL_FAST, 0);
    for (int i = 0; i < 20; i++)
        ls_group_spawn(g, use_sem, NULL, NULL);
    assert_int_equal(ls_group_wait(g), 0);
    assert_int_equal(most, 3);
    assert_int_equal(done, 20);
    assert_int_equal(ls_sem_count(sem), 3);
    assert_int_equal(ls_sem_free(sem), 0);
}

TEST(semaphore_times_out_and_is_not_lost_to_a_cancel)
{
    assert_int_equal(ls_sem_new(&sem, 0), 0);
    assert_int_equal(ls_sem_acquire(sem, 0), -ETIMEDOUT);
    assert_int_equal(ls_sem_acquire(sem, LS_MSEC(3)), -ETIMEDOUT);
    ls_task t = ls_spawn(use_sem, NULL);
    ls_yield();
    assert_int_equal(ls_sem_free(sem), -EBUSY);
    ls_sem_release(sem); // t has it now
    ls_cancel(t);
    assert_int_equal(ls_await(t), 0);
    assert_int_equal(ls_sem_count(sem), 1);
    ls_sem_acquire(sem, 0);
    t = ls_spawn(use_sem, NULL);
    ls_yield();
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ECANCELED);
    ls_sem_release(sem);
    assert_int_equal(ls_sem_count(sem), 1);
    assert_int_equal(ls_sem_free(sem), 0);
}

static ls_mutex *mutex;
static int64_t hold(void *arg)
{
    int r = ls_mutex_lock(mutex, (intptr_t)arg);
    if (r < 0)
        return r;
    assert_int_equal(++inside, 1);
    ls_sleep(LS_MSEC(2));
    inside--;
    return ls_mutex_unlock(mutex);
}

TEST(mutex_excludes)
{
    inside = 0;
    assert_int_equal(ls_mutex_new(&mutex), 0);
    ls_task a = ls_spawn(hold, (void *)LS_FOREVER), b = ls_spawn(hold, (void *)LS_FOREVER);
    ls_yield();
    assert_int_equal(ls_mutex_lock(mutex, 0), -ETIMEDOUT);
    assert_int_equal(ls_mutex_unlock(mutex), -EPERM);
    assert_int_equal(ls_await(a), 0);
    assert_int_equal(ls_await(b), 0);
    assert_int_equal(ls_mutex_lock(mutex, LS_FOREVER), 0);
    assert_int_equal(ls_mutex_lock(mutex, LS_FOREVER), -EDEADLK);
    assert_int_equal(ls_mutex_free(mutex), -EBUSY);
    assert_int_equal(ls_mutex_unlock(mutex), 0);
    assert_int_equal(ls_mutex_free(mutex), 0);
}

static int64_t end_locked(void *arg)
{
    (void)arg;
    return ls_mutex_lock(mutex, LS_FOREVER);
}

TEST(mutex_of_an_ended_task_is_passed_on)
{
    assert_int_equal(ls_mutex_new(&mutex), 0);
    assert_int_equal(ls_await(ls_spawn(end_locked, NULL)), 0);
    assert_int_equal(ls_mutex_lock(mutex, 0), 0);
    assert_int_equal(ls_mutex_unlock(mutex), 0);
    assert_int_equal(ls_mutex_free(mutex), 0);
}

static ls_event *event;
static int64_t wait_event(void *arg)
{
    int r = ls_event_wait(event, LS_FOREVER);
    ++*(int *)arg;
    return r;
}

TEST(event_lets_all_pass)
{
    int passed = 0;
    ls_group *g;
    assert_int_equal(ls_event_new(&event), 0);
    assert_int_equal(ls_event_wait(event, LS_MSEC(2)), -ETIMEDOUT);
    ls_group_open(&g, LS_FAIL_FAST, 0);
    for (int i = 0; i < 5; i++)
        ls_group_spawn(g, wait_event, &passed, NULL);
    ls_yield();
    assert_int_equal(passed, 0);
    ls_event_set(event);
    assert_int_equal(ls_group_wait(g), 0);
    assert_int_equal(passed, 5);
    assert_int_equal(ls_event_wait(event, 0), 0);
    ls_event_clear(event);
    assert_false(ls_event_is_set(event));
    assert_int_equal(ls_event_wait(event, 0), -ETIMEDOUT);
    assert_int_equal(ls_event_free(event), 0);
}

static ls_cond *cond;
static int stock;
static int64_t consume(void *arg)
{
    (void)arg;
    int r = ls_mutex_lock(mutex, LS_FOREVER);
    while (r == 0 && stock == 0)
        r = ls_cond_wait(cond, mutex, LS_FOREVER);
    if (r == 0)
        stock--;
    int unlocked = ls_mutex_unlock(mutex); // it has it, whatever the wait returned
    return unlocked < 0 ? -EINVAL : r;
}

TEST(condition_has_the_mutex_again)
{
    ls_mutex_new(&mutex);
    ls_cond_new(&cond);
    ls_task a = ls_spawn(consume, NULL), b = ls_spawn(consume, NULL), c = ls_spawn(consume, NULL);
    ls_yield();
    ls_mutex_lock(mutex, LS_FOREVER);
    stock = 1;
    ls_cond_signal(cond);
    ls_mutex_unlock(mutex);
    assert_int_equal(ls_await(a), 0);
    ls_cancel(b);
    assert_int_equal(ls_await(b), -ECANCELED);
    ls_mutex_lock(mutex, LS_FOREVER);
    assert_int_equal(ls_cond_wait(cond, mutex, LS_MSEC(2)), -ETIMEDOUT);
    stock = 1;
    ls_cond_broadcast(cond);
    ls_mutex_unlock(mutex);
    assert_int_equal(ls_await(c), 0);
    assert_int_equal(ls_cond_wait(cond, mutex, 0), -EPERM); // not locked
    assert_int_equal(ls_cond_free(cond), 0);
    assert_int_equal(ls_mutex_free(mutex), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(semaphore_limits),
        cmocka_unit_test(semaphore_times_out_and_is_not_lost_to_a_cancel),
        cmocka_unit_test(mutex_excludes),
        cmocka_unit_test(mutex_of_an_ended_task_is_passed_on),
        cmocka_unit_test(event_lets_all_pass),
        cmocka_unit_test(condition_has_the_mutex_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
