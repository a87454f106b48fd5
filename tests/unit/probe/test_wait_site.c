// The wait functions are found where the dynamic linker finds them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../agent/probe/wait_site.h"

static bool among(uint64_t address, const uint64_t *sites, int n)
{
    for (int i = 0; i < n; i++)
        if (sites[i] == address)
            return true;
    return false;
}

static void of_a_process(int pid)
{
    uint64_t sites[WAIT_SITES];
    int n = wait_sites_find(pid, WAIT_EPOLL, sites);
    assert_in_range(n, 2, WAIT_SITES);
    assert_true(among((uintptr_t)dlsym(RTLD_DEFAULT, "epoll_wait"), sites, n));
    assert_true(among((uintptr_t)dlsym(RTLD_DEFAULT, "epoll_pwait"), sites, n));
    n = wait_sites_find(pid, WAIT_POLL, sites);
    assert_true(among((uintptr_t)dlsym(RTLD_DEFAULT, "poll"), sites, n));
    n = wait_sites_find(pid, WAIT_SELECT, sites);
    assert_true(among((uintptr_t)dlsym(RTLD_DEFAULT, "select"), sites, n));
    assert_int_equal(wait_sites_find(pid, WAIT_URING, sites), 0);
}

static void wait_functions_are_found(void **state)
{
    (void)state;
    of_a_process(getpid());
    int child = fork(); // the same addresses, another process
    if (!child)
        for (;;)
            pause();
    of_a_process(child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void of_nobody_there_are_none(void **state)
{
    (void)state;
    uint64_t sites[WAIT_SITES];
    assert_int_equal(wait_sites_find(0x7ffffff0, WAIT_EPOLL, sites), 0);
    assert_int_equal(wait_sites_find(2, WAIT_EPOLL, sites), 0); // a kernel thread has no code
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait_functions_are_found),
        cmocka_unit_test(of_nobody_there_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
