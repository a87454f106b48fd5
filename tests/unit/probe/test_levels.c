// When a turn is sampled, and what a histogram's buckets mean.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../../agent/probe/internal.h"

static struct probe probe_with_threshold(int64_t ms)
{
    struct probe p = {.config = {.threshold_ns = ms * NS_PER_MS}};
    p.level_cap = level_cap_of(p.config.threshold_ns);
    return p;
}

static void levels_double(void **state)
{
    (void)state;
    struct probe p = probe_with_threshold(100);
    assert_int_equal(level_due(&p, 0), 100 * NS_PER_MS);
    assert_int_equal(level_due(&p, 1), 200 * NS_PER_MS);
    assert_int_equal(level_due(&p, 3), 800 * NS_PER_MS);
}

static void gaps_are_bounded(void **state)
{
    (void)state;
    for (int64_t ms = 25; ms <= 5000; ms *= 3) {
        struct probe p = probe_with_threshold(ms);
        for (unsigned int level = 0; level < 100; level++) {
            int64_t gap = level_due(&p, level + 1) - level_due(&p, level);
            assert_true(gap > 0);
            assert_true(gap <= 10 * NS_PER_S);
        }
    }
}

static void the_level_of_an_age_is_the_last_one_due(void **state)
{
    (void)state;
    struct probe p = probe_with_threshold(100);
    for (unsigned int level = 0; level < 60; level++) {
        assert_int_equal(level_at(&p, level_due(&p, level)), level);
        assert_int_equal(level_at(&p, level_due(&p, level + 1) - 1), level);
    }
}

static void an_age_of_days_still_has_a_level(void **state)
{
    (void)state;
    struct probe p = probe_with_threshold(1);
    assert_in_range(level_at(&p, INT64_MAX / 4), 1, CLAIM_LEVEL_MASK - 1);
}

static void buckets_rise(void **state)
{
    (void)state;
    assert_int_equal(probe_hist_ns(0), 1000);
    assert_int_equal(probe_hist_ns(3), 4000);
    assert_int_equal(probe_hist_ns(4), 5000);
    for (int b = 1; b < PROBE_HIST - 1; b++)
        assert_true(probe_hist_ns(b) > probe_hist_ns(b - 1));
    assert_int_equal(probe_hist_ns(PROBE_HIST - 1), INT64_MAX);
}

static void buckets_are_narrow_and_reach_half_a_minute(void **state)
{
    (void)state;
    for (int b = 4; b < PROBE_HIST - 1; b++)
        assert_true(probe_hist_ns(b) * 4 <= probe_hist_ns(b - 1) * 5);
    assert_true(probe_hist_ns(PROBE_HIST - 2) > 25 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_double),
        cmocka_unit_test(gaps_are_bounded),
        cmocka_unit_test(the_level_of_an_age_is_the_last_one_due),
        cmocka_unit_test(an_age_of_days_still_has_a_level),
        cmocka_unit_test(buckets_rise),
        cmocka_unit_test(buckets_are_narrow_and_reach_half_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
