// A short slice: nothing else of how the process is scheduled changes, and what it starts has none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../agent/confine/slice.h"

static struct sched_attr attributes(void)
{
    struct sched_attr a = {.size = sizeof(a)};
    assert_int_equal(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0), 0);
    return a;
}

static void test_only_the_slice_changes(void **state)
{
    (void)state;
    struct sched_attr before = attributes();
    slice_short();
    struct sched_attr after = attributes();
    assert_int_equal(after.sched_policy, before.sched_policy);
    assert_int_equal(after.sched_nice, before.sched_nice);
    if (before.sched_runtime > 0) // from Linux 6.12 on the slice is told
        assert_in_range(after.sched_runtime, 100000, before.sched_runtime - 1);
}

static void test_a_child_does_not_inherit_it(void **state)
{
    (void)state;
    slice_short();
    uint64_t mine = attributes().sched_runtime;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        struct sched_attr a = {.size = sizeof(a)};
        syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0);
        _exit(a.sched_policy != SCHED_NORMAL || (mine > 0 && a.sched_runtime == mine));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_slice_changes),
        cmocka_unit_test(test_a_child_does_not_inherit_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
