// One call in three fails. Each failure is handled, and still something is wrong.
#include "gallery.h"

static unsigned calls;

static int call_gateway(void)
{
    int r = ls_sleep(LS_MSEC(10));
    if (r < 0)
        return r;
    return ++calls % 3 == 0 ? -ECONNRESET : 0;
}

static int64_t charge_wrong(void *arg)
{
    (void)arg;
    return call_gateway();
}

static int64_t charge_cured(void *arg)
{
    int r = -ECONNRESET;
    (void)arg;
    for (int attempt = 0; attempt < 3 && r == -ECONNRESET; attempt++)
        r = call_gateway();
    return r;
}

static int64_t charge_all(ls_fn charge)
{
    int64_t failed = 0;
    while (ls_check() == 0) {
        failed += ls_await(ls_spawn(charge, NULL)) < 0;
        check(ls_sleep(LS_MSEC(40)), "sleep");
    }
    return failed;
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return charge_all(charge_wrong);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return charge_all(charge_cured);
}

const struct exhibit task_fail_rate = {"task-fail-rate", "one task in three fails", wrong, cured,
                                       false};
