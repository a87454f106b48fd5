// The runtime's own row: ours OPERATION COUNT [watched]
#include <loopscope/loopscope.h>

#include <stdint.h>
#include <unistd.h>

#include "measure.h"

static const char *operation, *peer = "loopscope";
static long count;

static int64_t yield_loop(void *arg)
{
    for (long i = (long)(intptr_t)arg; i > 0; i--)
        ls_yield();
    return 0;
}

static void bench_switch(void)
{
    ls_task other = ls_spawn(yield_loop, (void *)(intptr_t)(count / 2));
    struct usage from = usage_now();
    yield_loop((void *)(intptr_t)(count / 2));
    print_usage(peer, "switch", count, from);
    int64_t r = ls_await(other);
    (void)r;
}

static int64_t nothing(void *arg)
{
    return (intptr_t)arg;
}

static void bench_spawn(void)
{
    struct usage from = usage_now();
    for (long i = 0; i < count; i++)
        if (ls_await(ls_spawn(nothing, NULL)) != 0)
            abort();
    print_usage(peer, "spawn", count, from);
}

static ls_chan *there, *back;
static int64_t deadline = LS_FOREVER;

static int64_t echo(void *arg)
{
    uint64_t v;
    (void)arg;
    while (ls_chan_recv(there, &v, deadline) == 0)
        if (ls_chan_send(back, &v, deadline) != 0)
            break;
    return 0;
}

static void bench_channel(void)
{
    uint64_t v = 1;
    ls_chan_new(&there, sizeof(v), 0);
    ls_chan_new(&back, sizeof(v), 0);
    ls_task other = ls_spawn(echo, NULL);
    struct usage from = usage_now();
    for (long i = 0; i < count / 2; i++) {
        ls_chan_send(there, &v, deadline);
        ls_chan_recv(back, &v, deadline);
    }
    print_usage(peer, operation, count, from);
    ls_chan_close(there);
    int64_t r = ls_await(other);
    (void)r;
    ls_chan_free(there);
    ls_chan_free(back);
}

static void bench_timer(void)
{
    enum { ARMED = 10000 };
    static struct ls_deadline armed[ARMED];
    struct ls_deadline d;
    for (int i = 0; i < ARMED; i++)
        ls_deadline_begin(&armed[i], LS_SEC(3600) + LS_MSEC(i));
    struct usage from = usage_now();
    for (long i = 0; i < count; i++) {
        ls_deadline_begin(&d, LS_MSEC(1000 + i % 1000));
        ls_deadline_end(&d);
    }
    print_usage(peer, "timer", count, from);
    for (int i = ARMED; i-- > 0;)
        ls_deadline_end(&armed[i]);
}

static int64_t sleeper(void *arg)
{
    (void)arg;
    return ls_sleep(LS_MSEC(10));
}

static void sleep_round(const char *name)
{
    struct usage from = usage_now();
    ls_group *g;
    ls_group_open(&g, LS_FAIL_FAST, 0);
    for (long i = 0; i < count; i++)
        ls_group_spawn(g, sleeper, NULL, NULL);
    if (ls_group_wait(g) != 0)
        abort();
    print_usage(peer, name, count, from);
}

static int64_t idler(void *arg)
{
    return ls_event_wait(arg, LS_FOREVER);
}

static void bench_memory(void)
{
    ls_event *never;
    ls_group *g;
    ls_event_new(&never);
    ls_group_open(&g, LS_FAIL_FAST, 0);
    double before = status_bytes("VmRSS") + status_bytes("VmPTE");
    for (long i = 0; i < count; i++)
        ls_group_spawn(g, idler, never, NULL);
    ls_yield();
    double after = status_bytes("VmRSS") + status_bytes("VmPTE");
    printf("%s memory %ld %.0f 0 0\n", peer, count, (after - before) / (double)count);
    ls_event_set(never);
    int64_t r = ls_group_wait(g);
    (void)r;
    ls_event_free(never);
}

static int64_t run(void *arg)
{
    (void)arg;
    if (!strcmp(peer, "loopscope-watched"))
        ls_watch(ls_loop_current(), true);
    if (!strcmp(operation, "switch"))
        bench_switch();
    else if (!strcmp(operation, "spawn"))
        bench_spawn();
    else if (!strcmp(operation, "channel"))
        bench_channel();
    else if (!strcmp(operation, "deadline"))
        deadline = LS_SEC(10), bench_channel();
    else if (!strcmp(operation, "timer"))
        bench_timer();
    else if (!strcmp(operation, "sleep"))
        sleep_round("sleep-cold"), sleep_round("sleep-warm"), sleep_round("sleep-warm");
    else if (!strcmp(operation, "memory"))
        bench_memory();
    return 0;
}

int main(int argc, char **argv)
{
    struct ls_options options = {.stack_cache = 200000};
    if (argc < 2)
        return 2;
    operation = argv[1];
    count = count_argument(argc, argv, 1000000);
    if (argc > 3)
        peer = "loopscope-watched";
    return (int)ls_run_with(&options, run, NULL);
}
