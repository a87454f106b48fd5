// Common to the tests of the runtime: each test body runs as the main task of a loop of its own.
#ifndef LIB_TEST_H
#define LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <loopscope/loopscope.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A failed assert leaves a task's stack for cmocka's. Debian's cmocka is fortified and takes a jump to a lower
// address for one into a dead frame: it would abort and keep the assert's message to itself.
__attribute__((weak, noreturn)) void __longjmp_chk(jmp_buf env, int value);
__attribute__((weak, noreturn)) void __longjmp_chk(jmp_buf env, int value)
{
    longjmp(env, value);
}

typedef void (*body_fn)(void);

static int64_t run_body(void *arg)
{
    body_fn body;
    memcpy(&body, arg, sizeof(body));
    body();
    return 0;
}

static inline void in_loop(body_fn body)
{
    assert_int_equal(ls_run(run_body, &body), 0);
}

// TEST(name) { ... } defines a cmocka test whose body is a task.
#define TEST(name)                                                                                 \
    static void name##_body(void);                                                                 \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        in_loop(name##_body);                                                                      \
    }                                                                                              \
    static void name##_body(void)

static inline int count_fds(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += dup2(fd, fd) == fd;
    return n;
}

#endif
