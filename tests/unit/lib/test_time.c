// Sleep, deadlines, shields, the timer wheel.
#include "lib_test.h"

#include "../../../lib/src/timer.h"

TEST(sleep_is_never_early)
{
    static const int64_t naps[] = {LS_USEC(1), LS_MSEC(1), LS_USEC(1500), LS_MSEC(7), LS_MSEC(70)};
    for (size_t i = 0; i < sizeof(naps) / sizeof(*naps); i++) {
        int64_t from = ls_now();
        assert_int_equal(ls_sleep(naps[i]), 0);
        assert_true(ls_now() - from >= naps[i]);
        assert_true(ls_now() - from < naps[i] + LS_SEC(20)); // a machine may be slow
    }
}

TEST(deadline_interrupts_every_await_until_its_end)
{
    struct ls_deadline d;
    int64_t passes = ls_now() + LS_MSEC(60);
    assert_int_equal(ls_deadline_begin(&d, LS_MSEC(60)), 0);
    assert_true(ls_check() == 0 || ls_now() >= passes);
    assert_int_equal(ls_sleep(LS_SEC(3600)), -ETIMEDOUT);
    assert_int_equal(ls_yield(), -ETIMEDOUT);
    assert_int_equal(ls_check(), -ETIMEDOUT);
    assert_int_equal(ls_deadline_end(&d), -ETIMEDOUT);
    assert_int_equal(ls_yield(), 0);
    assert_int_equal(ls_deadline_begin(&d, LS_SEC(100)), 0);
    assert_int_equal(ls_sleep(LS_MSEC(1)), 0);
    assert_int_equal(ls_deadline_end(&d), 0);
    assert_int_equal(ls_deadline_end(&d), -EINVAL);
}

TEST(nested_deadlines)
{
    struct ls_deadline outer, inner;
    int64_t outer_passes = ls_now() + LS_MSEC(30);
    ls_deadline_begin(&outer, LS_MSEC(30));
    ls_deadline_begin(&inner, LS_MSEC(5));
    assert_int_equal(ls_sleep(LS_SEC(3600)), -ETIMEDOUT);
    assert_int_equal(ls_deadline_end(&outer), -EINVAL); // not the innermost
    assert_int_equal(ls_deadline_end(&inner), -ETIMEDOUT);
    assert_true(ls_yield() == 0 || ls_now() >= outer_passes);
    assert_int_equal(ls_sleep(LS_SEC(3600)), -ETIMEDOUT);
    assert_int_equal(ls_deadline_end(&outer), -ETIMEDOUT);
    ls_deadline_begin(&outer, LS_MSEC(5));
    ls_deadline_begin(&inner, LS_FOREVER);
    assert_int_equal(ls_sleep(LS_SEC(3600)), -ETIMEDOUT); // the outer one counts inside, too
    assert_int_equal(ls_deadline_end(&inner), 0);
    assert_int_equal(ls_deadline_end(&outer), -ETIMEDOUT);
}

TEST(check_sees_a_deadline_without_a_turn)
{
    struct ls_deadline d;
    ls_deadline_begin(&d, LS_MSEC(3));
    int64_t until = ls_now() + LS_SEC(5);
    while (ls_check() == 0 && ls_now() < until)
        continue;
    assert_true(ls_now() < until);
    assert_int_equal(ls_deadline_end(&d), -ETIMEDOUT);
}

static int64_t shielded(void *arg)
{
    int *steps = arg;
    ls_shield_begin();
    if (ls_sleep(LS_MSEC(10)) == 0)
        ++*steps;
    if (ls_yield() == 0)
        ++*steps;
    if (ls_shield_end() == -ECANCELED)
        ++*steps;
    return ls_yield();
}

TEST(shield_holds_cancel_back)
{
    int steps = 0;
    ls_task t = ls_spawn(shielded, &steps);
    ls_yield();
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ECANCELED);
    assert_int_equal(steps, 3);
}

static int64_t bounded_shield(void *arg)
{
    struct ls_deadline d;
    (void)arg;
    ls_shield_begin();
    ls_deadline_begin(&d, LS_MSEC(5));
    int r = ls_sleep(LS_SEC(3600)); // the deadline begun inside still counts
    ls_deadline_end(&d);
    ls_shield_end();
    return r;
}

TEST(deadline_inside_a_shield_counts)
{
    ls_task t = ls_spawn(bounded_shield, NULL);
    ls_yield();
    ls_cancel(t);
    assert_int_equal(ls_await(t), -ETIMEDOUT);
}

static int64_t forgetful(void *arg)
{
    struct ls_deadline d;
    (void)arg;
    ls_deadline_begin(&d, LS_MSEC(1));
    ls_shield_begin();
    return 5;
}

TEST(deadline_left_open_does_no_harm)
{
    for (int i = 0; i < 100; i++)
        assert_int_equal(ls_await(ls_spawn(forgetful, NULL)), 5);
    assert_int_equal(ls_sleep(LS_MSEC(5)), 0);
}

// ---- the wheel, against a plain search

#define TIMERS 3000
static struct timer timers[TIMERS];
static int64_t due[TIMERS]; // -1: not armed
static int64_t wheel_now;
static int fired_wrong, fired;

static void on_fire(struct timer *t)
{
    size_t i = (size_t)(t - timers);
    fired++;
    if (due[i] < 0 || due[i] > wheel_now)
        fired_wrong++;
    due[i] = -1;
}

static int64_t random_span(unsigned *seed)
{
    int64_t ms = rand_r(seed) % 100;
    switch (rand_r(seed) % 4) {
    case 0: return ms * 1000000;
    case 1: return ms * 70 * 1000000;
    case 2: return ms * 5000 * 1000000;
    default: return ms * 400000 * 1000000 + rand_r(seed) % 1000000;
    }
}

static void wheel_fires_all_in_time_and_none_early(void **state)
{
    static struct wheel w;
    unsigned seed = 4711;
    (void)state;
    wheel_now = 1234567890123456;
    ls__wheel_init(&w, wheel_now);
    for (int i = 0; i < TIMERS; i++) {
        timer_init(&timers[i], on_fire);
        due[i] = -1;
    }
    for (int round = 0; round < 20000; round++) {
        for (int k = 0; k < 5; k++) {
            size_t i = (size_t)rand_r(&seed) % TIMERS;
            timer_cancel(&timers[i]);
            due[i] = -1;
            if (rand_r(&seed) % 4 == 0)
                continue;
            due[i] = wheel_now + random_span(&seed);
            if (rand_r(&seed) % 2)
                ls__timer_arm(&w, &timers[i], due[i]);
            else
                timer_arm_fresh(&w, &timers[i], due[i] - wheel_now);
        }
        ls__wheel_settle(&w, wheel_now);
        wheel_now += rand_r(&seed) % 3 ? rand_r(&seed) % 3000000 : random_span(&seed) / 50;
        ls__wheel_advance(&w, wheel_now);
        while (wheel_due(&w))
            ls__wheel_fire(&w, 3);
        for (size_t i = 0; i < TIMERS; i++) // at most one slot late
            if (due[i] >= 0 && due[i] + 2000000 < wheel_now)
                fail_msg("timer %zu is %lld ns late in round %d", i,
                         (long long)(wheel_now - due[i]), round);
    }
    assert_int_equal(fired_wrong, 0);
    assert_true(fired > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleep_is_never_early),
        cmocka_unit_test(deadline_interrupts_every_await_until_its_end),
        cmocka_unit_test(nested_deadlines),
        cmocka_unit_test(check_sees_a_deadline_without_a_turn),
        cmocka_unit_test(shield_holds_cancel_back),
        cmocka_unit_test(deadline_inside_a_shield_counts),
        cmocka_unit_test(deadline_left_open_does_no_harm),
        cmocka_unit_test(wheel_fires_all_in_time_and_none_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
