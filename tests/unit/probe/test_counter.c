// libuv's turn counter as a proof: reads that come, change, and fail.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../../../agent/probe/internal.h"

static uint64_t counted;
static bool fails;

ssize_t __wrap_reader_read(struct reader *r, int pid, uint64_t address, void *to, size_t len,
                           int64_t patience_ns);
ssize_t __wrap_reader_read(struct reader *r, int pid, uint64_t address, void *to, size_t len,
                           int64_t patience_ns)
{
    (void)r, (void)pid, (void)address, (void)patience_ns;
    if (fails)
        return -ETIMEDOUT;
    memcpy(to, &counted, len);
    return (ssize_t)len;
}

static struct probe_turn told;
static int turns_told;

static void on_turn(void *arg, const struct probe_turn *turn)
{
    (void)arg;
    told = *turn;
    turns_told++;
}

static struct process process = {.pid = 1};
static struct ls_slot slot;
static struct thread thread;
static struct probe probe;

static void begin(int64_t at_ms)
{
    memset(&slot, 0, sizeof(slot));
    slot.busy_since = (uint64_t)(at_ms * NS_PER_MS);
    thread = (struct thread){.process = &process,
                             .slot = &slot,
                             .counter_address = 4096,
                             .iteration = INT64_MIN,
                             .break_fd = -1};
    probe = (struct probe){.config.threshold_ns = 100 * NS_PER_MS, .callbacks.turn = on_turn};
    turns_told = 0;
    counted = 7;
    fails = false;
}

static bool look(int64_t at_ms)
{
    probe.now_ns = at_ms * NS_PER_MS;
    return counter_watch(&probe, &thread, (int64_t)slot.busy_since);
}

static void test_the_first_look_is_the_proof(void **state)
{
    (void)state;
    begin(1000);
    assert_true(look(1025));
    assert_int_equal(slot.proof_at, 1025 * NS_PER_MS);
    assert_true(look(1035));
    assert_int_equal(slot.proof_at, 1025 * NS_PER_MS); // and stands
    assert_int_equal(slot.busy_since, 1000 * NS_PER_MS);
}

static void test_a_count_that_moved_ends_the_turn(void **state)
{
    (void)state;
    begin(1000);
    look(1025);
    counted = 9;
    assert_true(look(1035));
    assert_int_equal(slot.busy_since, 1035 * NS_PER_MS);
    assert_int_equal(slot.turns, 2);
    assert_int_equal(slot.busy_ns, 35 * NS_PER_MS);
    assert_int_equal(turns_told, 0); // nobody knows of it
    assert_int_equal(slot.turn_max_ns, 10 * NS_PER_MS / 2);
    int bucket = 0;
    while (probe_hist_ns(bucket) < 10 * NS_PER_MS / 2)
        bucket++;
    assert_int_equal(slot.turn_hist[bucket], 2);
}

static void test_a_count_that_runs_backwards(void **state)
{
    (void)state;
    begin(1000);
    look(1025);
    counted = 1;
    assert_true(look(1035));
    assert_int_equal(slot.turns, 0);
    assert_int_equal(slot.turn_max_ns, 0);
}

// Its stall would go on until the next one.
static void test_the_end_of_a_sampled_turn_is_told(void **state)
{
    (void)state;
    begin(1000);
    slot.claim = 5 << CLAIM_LEVEL_BITS | 2;
    look(1025);
    look(1205);
    counted++;
    look(1215);
    assert_int_equal(turns_told, 1);
    assert_int_equal(told.seq, 5);
    assert_int_equal(told.begin_ns, 1000 * NS_PER_MS);
    assert_int_equal(told.end_ns, 1215 * NS_PER_MS);
    assert_int_equal(told.split.cpu_user, 215 * NS_PER_MS);
    assert_int_equal(slot.claim >> CLAIM_LEVEL_BITS, 6);
    assert_int_equal(slot.sum.cpu_user_ns, 215 * NS_PER_MS);
}

static void test_a_read_that_fails_undoes_no_proof(void **state)
{
    (void)state;
    begin(1000);
    look(1025);
    fails = true;
    assert_true(look(1035));
    assert_true(look(1074));
    assert_int_equal(slot.proof_at, 1025 * NS_PER_MS);
    assert_false(look(1076)); // too long blind: other means are to watch
}

static void test_without_a_first_look_nothing_is_known(void **state)
{
    (void)state;
    begin(1000);
    fails = true;
    assert_false(look(1025));
    assert_int_equal(slot.proof_at, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_look_is_the_proof),
        cmocka_unit_test(test_a_count_that_moved_ends_the_turn),
        cmocka_unit_test(test_a_count_that_runs_backwards),
        cmocka_unit_test(test_the_end_of_a_sampled_turn_is_told),
        cmocka_unit_test(test_a_read_that_fails_undoes_no_proof),
        cmocka_unit_test(test_without_a_first_look_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
