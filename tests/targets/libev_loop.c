// A libev program that blocks 300 ms each second in stall_now().
#include <errno.h>
#include <ev.h>
#include <time.h>

static volatile unsigned long sink;

__attribute__((noinline)) static void stall_now(void)
{
    struct timespec t = {0, 300000000};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
    sink++;
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    static int ticks;
    (void)loop, (void)timer, (void)events;
    if (++ticks % 50 == 0)
        stall_now();
    sink++;
}

int main(void)
{
    static ev_timer timer;
    struct ev_loop *loop = ev_default_loop(0);
    ev_timer_init(&timer, on_tick, 0.02, 0.02);
    ev_timer_start(loop, &timer);
    return ev_run(loop, 0);
}
