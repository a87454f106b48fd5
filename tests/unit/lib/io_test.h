// Common to the tests of I/O: a blocking operation is interrupted in every way, and nothing of it stays.
#ifndef IO_TEST_H
#define IO_TEST_H

#include "lib_test.h"

// A blocking operation. run() opens what it needs, blocks for timeout_ns at most, and returns what the call returned.
// It may leave what it opened to its task.
struct blocking {
    const char *name;
    int64_t (*run)(int64_t timeout_ns);
};

static const struct blocking *blocking_now;
static int64_t blocking_timeout;

static int64_t blocking_task(void *arg)
{
    (void)arg;
    return blocking_now->run(blocking_timeout);
}

static int64_t deadline_task(void *arg)
{
    struct ls_deadline d;
    (void)arg;
    assert_int_equal(ls_deadline_begin(&d, LS_MSEC(20)), 0);
    int64_t r = blocking_now->run(LS_FOREVER);
    assert_int_equal(ls_deadline_end(&d), -ETIMEDOUT);
    return r;
}

static inline void expect(const struct blocking *b, const char *how, int64_t got, int64_t wanted,
                          int fds)
{
    if (got != wanted || count_fds() != fds)
        fail_msg("%s, %s: %lld instead of %lld, %d descriptors instead of %d", b->name, how,
                 (long long)got, (long long)wanted, count_fds(), fds);
}

static inline void interrupt_in_every_way(const struct blocking *b)
{
    int64_t r = ls_offload(blocking_task, NULL,
                           0); // the pool's threads exist before descriptors are counted
    assert_int_equal(r, -ETIMEDOUT);
    int fds = count_fds();
    blocking_now = b;

    blocking_timeout = LS_MSEC(20);
    r = ls_await(ls_spawn(blocking_task, NULL));
    expect(b, "timed out", r, -ETIMEDOUT, fds);

    r = ls_await(ls_spawn(deadline_task, NULL));
    expect(b, "under a deadline", r, -ETIMEDOUT, fds);

    blocking_timeout = LS_FOREVER;
    ls_task t = ls_spawn(blocking_task, NULL);
    assert_int_equal(ls_sleep(LS_MSEC(20)), 0);
    assert_true(ls_alive(t));
    assert_int_equal(ls_cancel(t), 0);
    r = ls_await(t);
    expect(b, "cancelled", r, -ECANCELED, fds);

    t = ls_spawn(blocking_task, NULL); // before it has begun
    assert_int_equal(ls_cancel(t), 0);
    r = ls_await(t);
    expect(b, "cancelled at once", r, -ECANCELED, fds);
}

#endif
