// Which backend is opened, and what is said about it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../agent/probe/probe.h"

#define NOBODY 65534

// Runs what it may as a user without privileges; 0: as expected.
static int open_as_nobody(enum backend backend)
{
    struct probe *p = NULL;
    struct probe_config config = {.backend = backend, .threshold_ns = 100000000};
    static const struct probe_callbacks none;
    struct error err = {0};
    int pid = fork(), status = -1;
    if (pid > 0)
        return waitpid(pid, &status, 0) == pid ? status : -1;
    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        _exit(1);
    int r = probe_open(&p, &config, &none, NULL, &err);
    if (backend == BACKEND_BPF)
        _exit(r == 0 || !err.text[0] || err.status != STATUS_NO_ATTACH);
    _exit(r != 0 || strcmp(probe_backend(p), "proc") != 0 || err.text[0]);
}

static void test_falling_back_is_no_error(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(open_as_nobody(BACKEND_AUTO), 0);
}

static void test_what_was_asked_for_and_fails_is_one(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(open_as_nobody(BACKEND_BPF), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_falling_back_is_no_error),
        cmocka_unit_test(test_what_was_asked_for_and_fails_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
