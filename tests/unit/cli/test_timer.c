// Timers of a loop that is late all the time.
#include "../../../agent/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#define WORK_NS  3000000
#define PATIENCE 50 // turns

struct late {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_poll_t poll;
    int rounds, polled_at;
};

static void stop(struct late *l)
{
    uv_timer_stop(&l->timer);
    uv_poll_stop(&l->poll);
}

// What is due takes longer than the time until more is due.
static void work(uv_timer_t *timer)
{
    struct late *l = timer->data;
    uint64_t began = uv_hrtime();
    while (uv_hrtime() - began < WORK_NS)
        ;
    if (++l->rounds < PATIENCE)
        timer_after(timer, work, 0);
    else
        stop(l);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct late *l = poll->data;
    l->polled_at = l->rounds;
    stop(l);
}

static void test_a_late_loop_still_polls(void **state)
{
    (void)state;
    struct late l = {.polled_at = -1};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(uv_loop_init(&l.loop), 0);
    uv_timer_init(&l.loop, &l.timer);
    uv_poll_init(&l.loop, &l.poll, ends[0]);
    l.timer.data = l.poll.data = &l;
    uv_poll_start(&l.poll, UV_READABLE, on_readable);
    uv_timer_start(&l.timer, work, 0, 0);
    uv_run(&l.loop, UV_RUN_DEFAULT);
    assert_in_range(l.polled_at, 0, 1);
    uv_close((uv_handle_t *)&l.timer, NULL);
    uv_close((uv_handle_t *)&l.poll, NULL);
    uv_run(&l.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&l.loop), 0);
    close(ends[0]);
    close(ends[1]);
}

static uint64_t fired_ns;

static void note(uv_timer_t *timer)
{
    (void)timer;
    fired_ns = uv_hrtime();
}

// The loop's own time is as old as its turn: counted from it the timer would come early.
static void test_it_is_never_early(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_timer_t timer;
    assert_int_equal(uv_loop_init(&loop), 0);
    uv_timer_init(&loop, &timer);
    usleep(30000);
    uint64_t began = uv_hrtime();
    timer_after(&timer, note, 20000000);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(fired_ns - began >=
                18000000); // the loop counts whole milliseconds, of a coarse clock
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_late_loop_still_polls),
        cmocka_unit_test(test_it_is_never_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
