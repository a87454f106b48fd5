// A long computation in a task: nothing else runs meanwhile.
#include "gallery.h"

static int64_t price_routes(void *arg)
{
    volatile double total = 0;
    int64_t until = ls_now() + (int64_t)(intptr_t)arg;
    for (double i = 1; ls_now() < until; i++)
        for (int k = 1; k < 1000; k++)
            total = total + i / k;
    return 0;
}

static int64_t wrong(void *arg)
{
    (void)arg;
    while (ls_check() == 0) {
        check(ls_sleep(LS_MSEC(600)), "sleep");
        price_routes((void *)(intptr_t)LS_MSEC(300));
    }
    return ls_check();
}

static int64_t cured(void *arg)
{
    (void)arg;
    while (ls_check() == 0) {
        check(ls_sleep(LS_MSEC(600)), "sleep");
        check(ls_offload(price_routes, (void *)(intptr_t)LS_MSEC(300), LS_FOREVER), "offload");
    }
    return ls_check();
}

const struct exhibit loop_cpu = {"loop-cpu", "a task computes for 300 ms without giving way", wrong,
                                 cured, false};
