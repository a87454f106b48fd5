// state-threads, the yardstick: st OPERATION COUNT
#include <st.h>
#include <stdint.h>
#include <unistd.h>

#include "measure.h"

static long count;

// There is no yield: two threads of the same kind that hand over to each other.
static st_cond_t turn[2];

static void *yield_loop(void *arg)
{
    long me = (long)(intptr_t)arg;
    for (long i = count / 2; i > 0; i--) {
        st_cond_signal(turn[!me]);
        st_cond_wait(turn[me]);
    }
    st_cond_signal(turn[!me]);
    return NULL;
}

static void bench_switch(void)
{
    st_thread_t threads[2];
    struct usage from = usage_now();
    for (long i = 0; i < 2; i++) {
        turn[i] = st_cond_new();
        threads[i] = st_thread_create(yield_loop, (void *)(intptr_t)i, 1, 65536);
    }
    st_thread_join(threads[0], NULL);
    print_usage("state-threads", "switch", count, from);
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

struct relay {
    struct channel *from, *to;
};

static void *relay(void *arg)
{
    struct channel *from = ((struct relay *)arg)->from, *to = ((struct relay *)arg)->to;
    for (uint64_t v; (v = receive_value(from)) > 0;)
        send_value(to, v - 1);
    return NULL;
}

static void bench_channel(const char *name, st_utime_t timeout)
{
    static struct channel channels[2];
    static struct relay relays[2] = {{&channels[0], &channels[1]}, {&channels[1], &channels[0]}};
    st_thread_t threads[2];
    for (int i = 0; i < 2; i++) {
        channels[i].changed = st_cond_new();
        channels[i].timeout = timeout;
    }
    struct usage from = usage_now();
    for (int i = 0; i < 2; i++)
        threads[i] = st_thread_create(relay, &relays[i], 1, 65536);
    send_value(&channels[0], (uint64_t)count & ~1ul);
    st_thread_join(threads[0], NULL);
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
