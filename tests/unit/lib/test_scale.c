// Many: 100 000 tasks asleep at once, 1 000 000 through a group with a limit, spawning beyond memory.
#include "lib_test.h"

#include <sys/resource.h>

#include "table_reader.h"

#ifdef __SANITIZE_THREAD__
#define MANY    5000 // it knows at most 8128 threads and fibers, and makes them slowly
#define MILLION 20000
#else
#define MANY    100000
#define MILLION 1000000
#endif

static long asleep, ended;
static int64_t nap(void *arg)
{
    asleep++;
    int r = ls_sleep((intptr_t)arg);
    asleep--;
    ended++;
    return r;
}

TEST(a_hundred_thousand_wake_by_themselves)
{
    ls_group *g;
    ended = 0;
    ls_group_open(&g, LS_FAIL_FAST, 0);
    for (int i = 0; i < MANY; i++)
        assert_true(ls_group_spawn(g, nap, (void *)(intptr_t)LS_MSEC(1 + i % 50), NULL).id > 0);
    struct ls_group_stats stats;
    ls_group_get_stats(g, &stats);
    assert_int_equal(stats.running, MANY);
    assert_int_equal(ls_group_wait(g), 0);
    assert_int_equal(ended, MANY);
}

static void tell_guard(int64_t took)
{
    static const char *const guards[] = {"unknown", "a guard page by madvise",
                                         "a guard page by mprotect", "a canary"};
    struct table_reader r;
    assert_int_equal(reader_open(&r, getpid()), 0);
    assert_in_range(r.header.stack_guard, LS_ABI_GUARD_MADVISE, LS_ABI_GUARD_CANARY);
    print_message("%ld tasks asleep at once, each stack with %s; all there after %.0f ms\n", asleep,
                  guards[r.header.stack_guard], (double)took / 1e6);
}

TEST(a_hundred_thousand_asleep_and_cancelled)
{
    ls_group *g;
    int64_t began = ls_now();
    ended = 0;
    ls_group_open(&g, LS_COLLECT_ALL, 0);
    for (int i = 0; i < MANY; i++)
        ls_group_spawn(g, nap, (void *)(intptr_t)LS_SEC(3600), NULL);
    while (asleep < MANY)
        ls_yield();
    tell_guard(ls_now() - began);
    assert_int_equal(ls_group_wait_for(g, LS_MSEC(1)), -ETIMEDOUT);
    assert_int_equal(ended, MANY);
}

static int64_t step(void *arg)
{
    ended++;
    return ls_yield() + (intptr_t)arg;
}

TEST(a_million_through_a_group_with_a_limit)
{
    ls_group *g;
    int64_t began = ls_now();
    ended = 0;
    ls_group_open(&g, LS_FAIL_FAST, 100);
    for (int i = 0; i < MILLION; i++)
        if (ls_group_spawn(g, step, NULL, NULL).id < 0)
            fail_msg("spawn %d failed", i);
    assert_int_equal(ls_group_wait(g), 0);
    assert_int_equal(ended, MILLION);
    print_message("%ld tasks through a group with a limit of 100 in %.0f ms\n", ended,
                  (double)(ls_now() - began) / 1e6);
}

static int64_t until_memory_ends(void *arg)
{
    ls_group *g;
    long n = 0;
    (void)arg;
    ls_group_open(&g, LS_COLLECT_ALL, 0);
    for (;; n++) {
        ls_task t = ls_group_spawn(g, nap, (void *)(intptr_t)LS_SEC(3600), NULL);
        if (t.id < 0) {
            assert_int_equal(t.id, -ENOMEM);
            break;
        }
    }
    assert_true(n > 100);
    print_message("spawn %ld of a program of 2 GB says -ENOMEM\n", n + 1);
    assert_int_equal(ls_group_wait_for(g, LS_MSEC(1)), -ETIMEDOUT);
    return n; // and the program lives
}

static void spawn_beyond_memory_is_an_error(void **state)
{
    struct rlimit before, small;
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); // their shadow does not fit below the limit
#endif
    if (getenv(
            "LOOPSCOPE_EMULATED")) // qemu-user keeps no limit of the address space: it would take all memory there is
        skip();
    getrlimit(RLIMIT_AS, &before);
    small = before;
    small.rlim_cur = (rlim_t)2 << 30;
    setrlimit(RLIMIT_AS, &small);
    assert_true(ls_run(until_memory_ends, NULL) > 100);
    setrlimit(RLIMIT_AS, &before);
    assert_int_equal(ls_run(nap, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_wake_by_themselves),
        cmocka_unit_test(a_hundred_thousand_asleep_and_cancelled),
        cmocka_unit_test(a_million_through_a_group_with_a_limit),
        cmocka_unit_test(spawn_beyond_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
