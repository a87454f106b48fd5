// The texts of /proc.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../agent/probe/procfs.h"

static void a_sleeping_call_has_its_arguments(void **state)
{
    (void)state;
    struct proc_syscall s;
    assert_int_equal(
        proc_parse_syscall("232 0x3 0x7ffc1 0x1 0xffffffff 0x0 0x8 0x7ffee0 0x7f01f3\n", &s), 0);
    assert_false(s.running);
    assert_int_equal(s.nr, 232);
    assert_int_equal(s.args[0], 3);
    assert_int_equal(s.args[3], 0xffffffff);
    assert_int_equal(s.sp, 0x7ffee0);
    assert_int_equal(s.pc, 0x7f01f3);
}

static void a_page_fault_is_no_call(void **state)
{
    (void)state;
    struct proc_syscall s;
    assert_int_equal(proc_parse_syscall("-1 0x7ffee0 0x7f01f3\n", &s), 0);
    assert_int_equal(s.nr, -1);
    assert_int_equal(s.sp, 0x7ffee0);
    assert_int_equal(s.args[0], 0);
}

static void a_running_thread_is_nowhere(void **state)
{
    (void)state;
    struct proc_syscall s;
    assert_int_equal(proc_parse_syscall("running\n", &s), 0);
    assert_true(s.running);
    assert_int_equal(s.nr, -1);
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "0", "232 0x3\n", "x\n", "-1\n", "-1 0x1\n"};
    struct proc_syscall s;
    struct proc_schedstat d;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_true(proc_parse_syscall(texts[i], &s) < 0);
    assert_true(proc_parse_schedstat("1 2", &d) < 0);
}

static void a_name_may_hold_anything(void **state)
{
    (void)state;
    char before[16];
    struct proc_stat s;
    prctl(PR_GET_NAME, before);
    prctl(PR_SET_NAME, ") Z 1 2 (");
    int err = proc_stat(getpid(), 0, &s);
    prctl(PR_SET_NAME, before);
    assert_int_equal(err, 0);
    assert_int_equal(s.state, 'R');
    assert_true(s.start_time > 0);
    assert_false(s.flags & PROC_PF_KTHREAD);
    int local;
    assert_true(s.start_stack > (uint64_t)(uintptr_t)&local);
}

static void who_is_gone_is_gone(void **state)
{
    (void)state;
    struct proc_stat s;
    assert_true(proc_stat(0x7ffffff0, 0, &s) < 0);
}

static void sleeps_are_counted(void **state)
{
    (void)state;
    int64_t before = proc_voluntary_switches(getpid(), getpid());
    usleep(2000);
    assert_true(before >= 0);
    assert_true(proc_voluntary_switches(getpid(), getpid()) > before);
}

static int count(void *arg, int tid)
{
    (void)tid;
    ++*(int *)arg;
    return 0;
}

static void threads_are_listed(void **state)
{
    (void)state;
    int n = 0;
    assert_int_equal(proc_each_thread(getpid(), count, &n), 0);
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleeping_call_has_its_arguments),
        cmocka_unit_test(a_page_fault_is_no_call),
        cmocka_unit_test(a_running_thread_is_nowhere),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(a_name_may_hold_anything),
        cmocka_unit_test(who_is_gone_is_gone),
        cmocka_unit_test(sleeps_are_counted),
        cmocka_unit_test(threads_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
