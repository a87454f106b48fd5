// Orders to an opener are foreign bytes: what is opened is one of three events, or nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../agent/probe/perf.h"
#include "../../../agent/probe/sampler.h"

static void foreign_orders_open_nothing(void **state)
{
    (void)state;
    const int self = getpid();
    const struct opener_order orders[] = {
        {.kind = 3, .tid = self, .cpu = -1},
        {.kind = UINT32_MAX, .tid = self, .cpu = -1},
        {.kind = 0, .tid = 0, .cpu = 0}, // ticks are of a CPU, all else of a thread
        {.kind = 0, .tid = self, .cpu = -1},
        {.kind = 0, .tid = self, .cpu = 0},
        {.kind = 0, .tid = -1, .cpu = -1},
        {.kind = 1, .tid = -1, .cpu = 0},
        {.kind = 1, .tid = self, .cpu = 0},
        {.kind = 2, .tid = INT32_MIN, .cpu = -1},
        {.kind = 2, .tid = -1, .cpu = 0},
        {.kind = 0x80000000u, .tid = -1, .cpu = -1, .address = UINT64_MAX}};
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        assert_int_equal(perf_open_order(&orders[i]), -EINVAL);
    const struct opener_order kernel = {
        .kind = 1, .tid = self, .cpu = -1, .address = UINT64_MAX - 0xfff};
    int fd = perf_open_order(&kernel); // a breakpoint in the kernel is not for exclude_kernel
    if (fd >= 0)
        close(fd);
    assert_true(fd < 0);
}

// An event that another process opened serves like one's own.
static void samples_of_an_opener_come(void **state)
{
    (void)state;
    struct opener *o;
    struct sampler *s;
    struct sampler_sample sample;
    assert_int_equal(opener_open(&o, perf_open_order), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        for (;;)
            ;
    }
    int r = sampler_open(&s, o, child), found = 0;
    for (int i = 0; r == 0 && i < 2000 && !found; i++) {
        usleep(10000);
        found = sampler_newest(s, &sample);
    }
    bool has_stack = found == 1 && sample.stack_len > 0 && sample.regs.sp != 0;
    if (r == 0)
        sampler_close(s);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    opener_close(o);
    if (r == -EACCES || r == -EPERM)
        skip();
    assert_int_equal(r, 0);
    assert_true(has_stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_orders_open_nothing),
        cmocka_unit_test(samples_of_an_opener_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
