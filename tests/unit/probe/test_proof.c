// What the tracepoints of the wait calls prove in their short time: nothing of a thread that got no CPU.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../../agent/probe/bpf.h"

#define BEGIN_NS  (1000 * NS_PER_MS)
#define TRACED_NS (1200 * NS_PER_MS) // since then
#define NOW_NS    (1310 * NS_PER_MS)

static struct process process = {.pid = 1};
static struct ls_slot slot;
static struct thread thread;
static struct bpf_backend backend;
static struct probe probe;

static void trace(void)
{
    memset(&slot, 0, sizeof(slot));
    slot.busy_since = BEGIN_NS;
    slot.proof_at = TRACED_NS;
    thread = (struct thread){.process = &process, .slot = &slot, .break_fd = -1};
    backend = (struct bpf_backend){.source = SOURCE_SCHED,
                                   .tracing = {.on = true, .since_ns = TRACED_NS}};
    probe = (struct probe){.config.threshold_ns = 100 * NS_PER_MS,
                           .estimated = true,
                           .backend = &backend,
                           .trusted = &thread,
                           .now_ns = NOW_NS};
}

static void one_that_ran_without_an_end_is_stuck(void **state)
{
    (void)state;
    trace();
    proof_tracing_over(&probe);
    assert_int_equal(slot.proof_at, TRACED_NS);
    assert_int_equal(slot.mute_hist, 0);
    assert_false(backend.tracing.on);
}

static void one_that_waits_for_a_cpu_is_not_believed(void **state)
{
    (void)state;
    trace();
    slot.off_seq = 1;
    slot.off_kind = LS_OFF_RUNQUEUE;
    slot.off_since = TRACED_NS + 2 * NS_PER_MS;
    proof_tracing_over(&probe);
    assert_int_equal(slot.proof_at, 0);
    assert_int_equal(slot.mute_hist, 1);
}

static void nor_is_one_that_had_waited(void **state)
{
    (void)state;
    trace();
    slot.turn.off_ns[LS_OFF_RUNQUEUE] = 100 * NS_PER_MS; // of the 110 ms
    proof_tracing_over(&probe);
    assert_int_equal(slot.proof_at, 0);
}

static void before_its_time_nothing_is_judged(void **state)
{
    (void)state;
    trace();
    probe.now_ns = TRACED_NS + 50 * NS_PER_MS;
    proof_tracing_over(&probe);
    assert_true(backend.tracing.on);
    assert_int_equal(slot.proof_at, TRACED_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_ran_without_an_end_is_stuck),
        cmocka_unit_test(one_that_waits_for_a_cpu_is_not_believed),
        cmocka_unit_test(nor_is_one_that_had_waited),
        cmocka_unit_test(before_its_time_nothing_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
