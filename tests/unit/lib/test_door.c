// The doors for other threads, several loops, embedding into a program's own uv_loop_t.
#include "lib_test.h"

#include <pthread.h>
#include <uv.h>

#define POSTERS 4
#define POSTS   5000

static ls_loop *loop;
static int next_of[POSTERS], posted, wrong_order;

static void on_post(void *arg)
{
    intptr_t v = (intptr_t)arg;
    int poster = (int)(v / POSTS), i = (int)(v % POSTS);
    wrong_order += next_of[poster]++ != i;
    posted++;
}

static void *post_many(void *arg)
{
    intptr_t poster = (intptr_t)arg;
    for (intptr_t i = 0; i < POSTS; i++)
        if (ls_post(loop, on_post, (void *)(poster * POSTS + i)) < 0)
            return (void *)1;
    return NULL;
}

TEST(posts_arrive_in_order)
{
    pthread_t threads[POSTERS];
    loop = ls_loop_current();
    posted = wrong_order = 0;
    memset(next_of, 0, sizeof(next_of));
    for (intptr_t i = 0; i < POSTERS; i++)
        pthread_create(&threads[i], NULL, post_many, (void *)i);
    while (posted < POSTERS * POSTS)
        ls_sleep(LS_MSEC(1));
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(posted, POSTERS * POSTS);
    assert_int_equal(wrong_order, 0);
}

static int64_t twice(void *arg)
{
    ls_sleep(LS_MSEC(1));
    return 2 * (intptr_t)arg;
}

static int64_t forever(void *arg)
{
    (void)arg;
    return ls_sleep(LS_SEC(3600));
}

static void set_event(void *arg)
{
    ls_event_set(arg);
}

static void *ask(void *arg)
{
    long wrong = 0;
    for (intptr_t i = 0; i < 50; i++) {
        ls_ticket *k;
        int64_t result = 0;
        wrong += ls_spawn_from_thread(loop, twice, (void *)i, &k) != 0;
        wrong += ls_ticket_wait(k, &result, LS_FOREVER) != 0 || result != 2 * i;
    }
    ls_ticket *k;
    int64_t result = 0;
    wrong += ls_spawn_from_thread(loop, forever, NULL, &k) != 0;
    wrong += ls_ticket_wait(k, &result, LS_MSEC(5)) != -ETIMEDOUT;
    wrong += ls_ticket_cancel(k) != 0;
    wrong += ls_ticket_wait(k, &result, LS_FOREVER) != 0 || result != -ECANCELED;
    wrong += ls_spawn_from_thread(loop, twice, NULL, &k) != 0;
    ls_ticket_drop(k);
    wrong += ls_spawn_from_thread(loop, twice, NULL, NULL) != 0;
    ls_post(loop, set_event, arg);
    return (void *)wrong;
}

TEST(threads_spawn_and_wait)
{
    pthread_t threads[3];
    ls_event *done[3];
    loop = ls_loop_current();
    for (int i = 0; i < 3; i++) {
        ls_event_new(&done[i]);
        pthread_create(&threads[i], NULL, ask, done[i]);
    }
    for (int i = 0; i < 3; i++) {
        void *wrong;
        ls_event_wait(done[i], LS_FOREVER);
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
        ls_event_free(done[i]);
    }
    ls_ticket *k;
    assert_int_equal(ls_spawn_from_thread(loop, twice, NULL, &k), 0);
    assert_int_equal(ls_ticket_wait(k, NULL, 0), -EDEADLK); // on the loop's own thread
    ls_ticket_drop(k);
}

static int64_t small_work(void *arg)
{
    int64_t sum = 0;
    for (intptr_t i = 0; i < 100; i++)
        sum += ls_await(ls_spawn(twice, (void *)i));
    return sum == 9900 ? (intptr_t)arg : -EINVAL;
}

static void *run_loop(void *arg)
{
    return (void *)(intptr_t)ls_run(small_work, arg);
}

static void several_loops_on_several_threads(void **state)
{
    pthread_t threads[8];
    (void)state;
    for (intptr_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, run_loop, (void *)(i + 1));
    for (intptr_t i = 0; i < 8; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_int_equal((intptr_t)result, i + 1);
    }
}

static int ticks, ended, closed;
static int64_t embedded(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5; i++)
        if (ls_sleep(LS_MSEC(3)) < 0)
            break;
    ended++;
    return 0;
}

static void on_tick(uv_timer_t *timer)
{
    if (++ticks == 2) { // from a callback of the program
        assert_int_equal(ls_spawn_detached("from callback", embedded, NULL), 0);
        assert_int_equal(ls_yield(), -EPERM);
    }
    if (ticks == 30)
        uv_close((uv_handle_t *)timer, NULL);
}

static void on_closed(void *ctx)
{
    ++*(int *)ctx;
}

static void on_forever_error(ls_task t, const char *name, const struct ls_site *s, int e, void *ctx)
{
    (void)t, (void)name, (void)s, (void)e, (void)ctx;
}

static void embeds_into_a_loop_that_runs_already(void **state)
{
    uv_loop_t uv;
    uv_timer_t timer;
    ls_loop *l, *other;
    (void)state;
    ticks = ended = closed = 0;
    uv_loop_init(&uv);
    uv_timer_init(&uv, &timer);
    uv_timer_start(&timer, on_tick, 1, 1);
    assert_int_equal(ls_attach(&l, &uv, NULL), 0);
    assert_int_equal(ls_attach(&other, &uv, NULL), -EBUSY);
    assert_ptr_equal(ls_loop_uv(l), &uv);
    ls_task t = ls_spawn(embedded, NULL);
    assert_true(t.id > 0);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT),
                     0); // tasks keep it going, nothing else of ours does
    assert_int_equal(ended, 2);
    ls_on_unread_error(l, on_forever_error, NULL);
    assert_int_equal(ls_spawn_detached("forever", forever, NULL), 0);
    assert_int_equal(ls_loop_close(l, on_closed, &closed), 0);
    assert_int_equal(ls_loop_close(l, NULL, NULL), -EALREADY);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(closed, 1);
    assert_null(ls_loop_current());
    assert_int_equal(uv_loop_close(&uv), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_arrive_in_order),
        cmocka_unit_test(threads_spawn_and_wait),
        cmocka_unit_test(several_loops_on_several_threads),
        cmocka_unit_test(embeds_into_a_loop_that_runs_already),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
