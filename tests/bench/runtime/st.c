// state-threads, the yardstick: st OPERATION COUNT
#include <st.h>
#include <stdint.h>
#include <unistd.h>

#include "measure.h"

static long count;

static void *yield_loop(void *arg)
{
    for (long i = (long)(intptr_t)arg; i > 0; i--)
        st_usleep(0);
    return NULL;
}

static void bench_switch(void)
{
    st_thread_t other = st_thread_create(yield_loop, (void *)(intptr_t)(count / 2), 1, 65536);
    struct usage from = usage_now();
    yield_loop((void *)(intptr_t)(count / 2));
    print_usage("state-threads", "switch", count, from);
    st_thread_join(other, NULL);
}

static void *nothing(void *arg)
{
    return arg;
}

static void bench_spawn(void)
{
    struct usage from = usage_now();
    for (long i = 0; i < count; i++)
        st_thread_join(st_thread_create(nothing, NULL, 1, 65536), NULL);
    print_usage("state-threads", "spawn", count, from);
}

// An unbuffered channel of one value, as a program on state-threads writes it.
struct channel {
    st_cond_t changed;
    uint64_t value;
    int full;
    st_utime_t timeout;
};

static void send_value(struct channel *c, uint64_t v)
{
    while (c->full)
        st_cond_timedwait(c->changed, c->timeout);
    c->value = v;
    c->full = 1;
    st_cond_signal(c->changed);
}

static uint64_t receive_value(struct channel *c)
{
    while (!c->full)
        st_cond_timedwait(c->changed, c->timeout);
    c->full = 0;
    return c->value;
}

static struct channel there, back;

static void *echo(void *arg)
{
    (void)arg;
    for (;;)
        send_value(&back, receive_value(&there));
    return NULL;
}

static void bench_channel(const char *name, st_utime_t timeout)
{
    uint64_t v = 1;
    there.changed = st_cond_new();
    back.changed = st_cond_new();
    there.timeout = back.timeout = timeout;
    st_thread_create(echo, NULL, 0, 65536);
    struct usage from = usage_now();
    for (long i = 0; i < count / 2; i++) {
        send_value(&there, v);
        v = receive_value(&back);
    }
    print_usage("state-threads", name, count, from);
}

static long left;

static void *sleeper(void *arg)
{
    st_usleep(10000);
    left--;
    return arg;
}

static void bench_sleep(void)
{
    for (int round = 0; round < 3; round++) {
        struct usage from = usage_now();
        left = count;
        for (long i = 0; i < count; i++)
            if (!st_thread_create(sleeper, NULL, 0, 65536))
                left--;
        while (left > 0)
            st_usleep(1000);
        print_usage("state-threads", round ? "sleep-warm" : "sleep-cold", count, from);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    count = count_argument(argc, argv, 1000000);
    st_set_eventsys(ST_EVENTSYS_ALT);
    st_init();
    if (!strcmp(argv[1], "switch"))
        bench_switch();
    else if (!strcmp(argv[1], "spawn"))
        bench_spawn();
    else if (!strcmp(argv[1], "channel"))
        bench_channel("channel", ST_UTIME_NO_TIMEOUT);
    else if (!strcmp(argv[1], "deadline"))
        bench_channel("deadline", 10000000);
    else if (!strcmp(argv[1], "sleep"))
        bench_sleep();
    return 0;
}
