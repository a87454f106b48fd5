// A pid namespace of one's own: the kernel's events speak of other numbers.
#include "../../../agent/probe/privilege.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int check_inside(void)
{
    struct error err = {0};
    int e = privilege_check_pids(&err);
    return e == -EOPNOTSUPP && strstr(err.text, "namespace") && strstr(err.hint, "--pid=host") ? 0
                                                                                               : 1;
}

static void test_a_namespace_is_told(void **state)
{
    (void)state;
    int status;
    pid_t unshared = fork();
    if (unshared == 0) { // the next child is the first one in it
        if (unshare(CLONE_NEWPID) != 0)
            _exit(77);
        pid_t inside = fork();
        if (inside == 0)
            _exit(check_inside());
        _exit(waitpid(inside, &status, 0) == inside && WIFEXITED(status) ? WEXITSTATUS(status) : 2);
    }
    assert_int_equal(waitpid(unshared, &status, 0), unshared);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_the_machines_own_is_fine(void **state)
{
    (void)state;
    char name[64] = {0};
    if (readlink("/proc/self/ns/pid", name, sizeof(name) - 1) < 0 ||
        strcmp(name, "pid:[4026531836]") != 0)
        skip();
    assert_int_equal(privilege_check_pids(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_namespace_is_told),
        cmocka_unit_test(test_the_machines_own_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
