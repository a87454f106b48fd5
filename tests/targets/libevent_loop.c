// A libevent program that blocks 300 ms each second in stall_now().
#include <errno.h>
#include <event2/event.h>
#include <time.h>

static volatile unsigned long sink;

__attribute__((noinline)) static void stall_now(void)
{
    struct timespec t = {0, 300000000};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
    sink++;
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
    static int ticks;
    (void)fd, (void)what, (void)data;
    if (++ticks % 50 == 0)
        stall_now();
    sink++;
}

int main(void)
{
    struct timeval every = {0, 20000};
    struct event_base *base = event_base_new();
    event_add(event_new(base, -1, EV_PERSIST, on_tick, NULL), &every);
    return event_base_dispatch(base);
}
