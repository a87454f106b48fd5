// A call from another thread is believed only once the loop's thread was seen in its loop.
#include "fakes.h"

#include <string.h>

#include "agent/target/thread_calls.h"
#include "fakes_threads.h"

#define CALLER 4720

static struct world *watched(void)
{
    struct world *w = world_new();
    memset(&fake_checks, 0, sizeof(fake_checks));
    w->m.wishes.thread_checks_until_ns = INT64_MAX;
    world_identify(
        w, &(struct identity){.runtime = RUNTIME_LIBUV, .has_uv = true, .uv_backend_fd = -1});
    thread_calls_tick(&w->m, w->proc);
    assert_true(fake_checks.open);
    return w;
}

// The child sleeps in epoll_wait on FAKE_EPOLL: that is the loop's poll, or another.
static void call(struct world *w, const char *function, int epoll)
{
    const struct thread_call c = {.tid = CALLER,
                                  .owner = w->pid,
                                  .function = function,
                                  .loop = 0x1000,
                                  .backend_fd = epoll,
                                  .runs = 1,
                                  .at_ns = w->m.now_ns,
                                  .calls = 2};
    fake_checks.cb(fake_checks.arg, &c);
}

static void answer(struct world *w, const char *leaf, const char *caller)
{
    const char *frames[] = {leaf, caller, "main", NULL};
    while (w->stacker.nstacks > 1) // of those that look for loops
        world_answer(w, (struct stack_answer){.why_not = "not asked"}, NULL);
    world_answer(w, (struct stack_answer){.loop_run_index = -1}, frames);
}

static int told(struct world *w)
{
    struct snap *s = snap_new();
    thread_calls_assemble(&w->m, s);
    int n = 0;
    for (int i = 0; i < s->nmisuses; i++)
        n += (int)s->misuses[i].calls;
    if (n > 0) {
        assert_int_equal(s->misuses[0].tid, CALLER);
        assert_int_equal(s->misuses[0].loop_tid, w->pid);
        assert_string_equal(s->misuses[0].loop, "0x1000");
        assert_non_null(s->misuses[0].stack);
    }
    snap_unref(s);
    return n;
}

static void tick(struct world *w, int64_t ms)
{
    world_pass(w, ms * MS);
    thread_calls_tick(&w->m, w->proc);
}

static void test_a_call_while_the_loop_polls_is_told(void **state)
{
    (void)state;
    struct world *w = watched();
    call(w, "uv_timer_start", FAKE_EPOLL);
    tick(w, 100);
    assert_int_equal(told(w), 0); // its stack is not known
    answer(w, "uv_timer_start", "restart");
    tick(w, 100);
    assert_int_equal(told(w), 2);
    call(w, "uv_timer_start", FAKE_EPOLL); // the same place: counted
    answer(w, "uv_timer_start", "restart");
    tick(w, 100);
    assert_int_equal(told(w), 4);
    world_free(w);
}

static void test_a_thread_that_is_not_in_its_loop_proves_nothing(void **state)
{
    (void)state;
    struct world *w = watched();
    call(w, "uv_close", FAKE_EPOLL + 1); // it sleeps in another epoll
    answer(w, "uv_close", "shut_down");
    for (int i = 0; i < 50; i++)
        tick(w, 100);
    assert_int_equal(told(w), 0);
    world_free(w);
}

static void test_a_loop_entered_anew_proves_nothing(void **state)
{
    (void)state;
    struct world *w = watched();
    call(w, "uv_close", FAKE_EPOLL);
    fake_checks.run_again = true;
    answer(w, "uv_close", "shut_down");
    tick(w, 100);
    fake_checks.run_again = false; // it was dropped
    tick(w, 100);
    assert_int_equal(told(w), 0);
    world_free(w);
}

static void test_what_libuv_calls_itself_is_told_once(void **state)
{
    (void)state;
    struct world *w = watched();
    call(w, "uv_timer_stop", FAKE_EPOLL);
    answer(w, "uv_timer_stop", "uv_timer_start");
    tick(w, 100);
    assert_int_equal(told(w), 0);
    world_free(w);
}

static void test_who_is_not_watched_says_why(void **state)
{
    (void)state;
    struct world *w = watched();
    struct snap *s = snap_new();
    struct snap_process p = {.misuse = {.calls = SNAP_UNKNOWN}};
    thread_calls_put(&w->m, w->proc, &p, s);
    assert_int_equal(p.misuse.calls, 0);
    assert_null(p.misuse.why_not);

    w->m.wishes.thread_checks_until_ns = 0;
    tick(w, 100);
    assert_false(fake_checks.open);
    p.misuse.calls = SNAP_UNKNOWN;
    thread_calls_put(&w->m, w->proc, &p, s);
    assert_true(p.misuse.calls == SNAP_UNKNOWN);
    assert_non_null(strstr(p.misuse.why_not, "--thread-checks"));

    w->m.wishes.thread_checks_until_ns = INT64_MAX;
    fake_checks.refused = true;
    tick(w, 100);
    thread_calls_put(&w->m, w->proc, &p, s);
    assert_true(p.misuse.calls == SNAP_UNKNOWN);
    assert_non_null(strstr(p.misuse.why_not, "no names"));
    snap_unref(s);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_while_the_loop_polls_is_told),
        cmocka_unit_test(test_a_thread_that_is_not_in_its_loop_proves_nothing),
        cmocka_unit_test(test_a_loop_entered_anew_proves_nothing),
        cmocka_unit_test(test_what_libuv_calls_itself_is_told_once),
        cmocka_unit_test(test_who_is_not_watched_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
