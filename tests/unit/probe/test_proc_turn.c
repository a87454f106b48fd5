// How the proc backend accounts a turn: what was sleep and what was waiting for a CPU.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../../agent/probe/proc.h"

#define LOOKS_NS (10 * NS_PER_MS)

static struct process process;
static struct proc_thread looks;
static struct thread thread;
static struct probe probe;
static struct sight now;

static int setup(void **state)
{
    (void)state;
    process = (struct process){.pid = getpid()};
    looks = (struct proc_thread){0};
    // This thread: how often it went to sleep is asked of the kernel. A breakpoint watches for its wait.
    thread = (struct thread){.process = &process,
                             .tid = (int)getpid(),
                             .slot = &looks.slot,
                             .backend = &looks,
                             .kind = WAIT_EPOLL,
                             .break_fd = 1};
    probe = (struct probe){.config.threshold_ns = 100 * NS_PER_MS, .trusted = &thread};
    now = (struct sight){.at_ns = 1000 * NS_PER_MS, .call.running = true};
    looks.last = now;
    now.at_ns += LOOKS_NS;
    proc_account(&probe, &thread, &now);
    looks.last = now;
    assert_true(looks.slot.busy_since);
    return 0;
}

// The next look: seen running, after so much CPU time, waiting that is accounted, and time slices.
static void look(int64_t cpu, int64_t delay, uint64_t slices)
{
    now.at_ns += LOOKS_NS;
    now.sched.cpu_ns += (uint64_t)cpu;
    now.sched.run_delay_ns += (uint64_t)delay;
    now.sched.slices += slices;
    proc_account(&probe, &thread, &now);
    looks.last = now;
}

static void sleep_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
}

static int64_t off(unsigned int kind)
{
    return (int64_t)looks.slot.turn.off_ns[kind];
}

static void short_sleeps_between_looks_are_sleep(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        sleep_a_little();
        look(2 * NS_PER_MS, 0, 20);
    }
    assert_true(off(LS_OFF_SYSCALL) >= 220 * NS_PER_MS);
    assert_true(off(LS_OFF_RUNQUEUE) <= LOOKS_NS);
}

static void a_wait_that_is_not_accounted_yet_is_a_wait(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        sleep_a_little(); // by other work of the thread: it proves nothing here
        look(0, 0, 0);
    }
    assert_int_equal(off(LS_OFF_RUNQUEUE), 300 * NS_PER_MS);
    look(NS_PER_MS, 300 * NS_PER_MS, 1);
    assert_int_equal(off(LS_OFF_SYSCALL), 0);
    assert_int_equal(off(LS_OFF_RUNQUEUE), 309 * NS_PER_MS);
}

static void slices_with_waits_between_are_waits(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++)
        look(NS_PER_MS, 9 * NS_PER_MS, 1);
    assert_int_equal(off(LS_OFF_SYSCALL), 0);
    assert_true(off(LS_OFF_RUNQUEUE) >= 270 * NS_PER_MS);
}

// What a hypervisor took is in no account of the thread: it could have run.
static void what_no_account_tells_is_no_sleep_of_one_that_never_slept(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++)
        look(2 * NS_PER_MS, 0, 1);
    assert_int_equal(off(LS_OFF_SYSCALL), 0);
    assert_true(off(LS_OFF_RUNQUEUE) >= 220 * NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(short_sleeps_between_looks_are_sleep, setup),
        cmocka_unit_test_setup(a_wait_that_is_not_accounted_yet_is_a_wait, setup),
        cmocka_unit_test_setup(slices_with_waits_between_are_waits, setup),
        cmocka_unit_test_setup(what_no_account_tells_is_no_sleep_of_one_that_never_slept, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
