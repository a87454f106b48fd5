// Raw libuv callbacks, where the operation has a counterpart: uv OPERATION COUNT
#include <uv.h>

#include "measure.h"

static long count, left;
static struct usage from;

static void on_idle(uv_idle_t *idle)
{
    if (--left <= 0)
        uv_idle_stop(idle);
}

// One callback of an idle handle an iteration: the nearest to "run me again next turn".
static void bench_switch(uv_loop_t *loop)
{
    uv_idle_t idle;
    uv_idle_init(loop, &idle);
    left = count;
    uv_idle_start(&idle, on_idle);
    from = usage_now();
    uv_run(loop, UV_RUN_DEFAULT);
    print_usage("libuv", "switch", count, from);
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    left--;
}

static void bench_timer(uv_loop_t *loop)
{
    enum { ARMED = 10000 };
    static uv_timer_t timers[ARMED + 1];
    for (int i = 0; i <= ARMED; i++)
        uv_timer_init(loop, &timers[i]);
    for (int i = 0; i < ARMED; i++)
        uv_timer_start(&timers[i], on_timer, 3600000 + (uint64_t)i, 0);
    from = usage_now();
    for (long i = 0; i < count; i++) {
        uv_timer_start(&timers[ARMED], on_timer, 1000 + (uint64_t)i % 1000, 0);
        uv_timer_stop(&timers[ARMED]);
    }
    print_usage("libuv", "timer", count, from);
}

static void bench_sleep(uv_loop_t *loop)
{
    uv_timer_t *timers = calloc((size_t)count, sizeof(*timers));
    if (!timers)
        return;
    for (int round = 0; round < 2; round++) {
        from = usage_now();
        left = count;
        for (long i = 0; i < count; i++) {
            uv_timer_init(loop, &timers[i]);
            uv_timer_start(&timers[i], on_timer, 10, 0);
        }
        uv_run(loop, UV_RUN_DEFAULT);
        print_usage("libuv", round ? "sleep-warm" : "sleep-cold", count, from);
    }
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    if (argc < 2)
        return 2;
    count = count_argument(argc, argv, 1000000);
    if (!strcmp(argv[1], "switch"))
        bench_switch(loop);
    else if (!strcmp(argv[1], "timer"))
        bench_timer(loop);
    else if (!strcmp(argv[1], "sleep"))
        bench_sleep(loop);
    return 0;
}
