// The runtime's own row: ours OPERATION COUNT [watched]
#include <loopscope/loopscope.h>

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../../lib/src/clock.h"

#include "measure.h"

static const char *operation, *peer = "loopscope";
static long count;

static int64_t yield_loop(void *arg)
{
    for (long i = (long)(intptr_t)arg; i > 0; i--)
        ls_yield();
    return 0;
}

// Two tasks of the same kind, as in all peers: what they cost depends on whether the processor can predict
// where a switch returns to.
static void bench_switch(void)
{
    struct usage from = usage_now();
    ls_group *g;
    ls_group_open(&g, LS_FAIL_FAST, 0);
    for (int i = 0; i < 2; i++)
        ls_group_spawn(g, yield_loop, (void *)(intptr_t)(count / 2), NULL);
    if (ls_group_wait(g) != 0)
        abort();
    print_usage(peer, "switch", count, from);
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

static int64_t deadline = LS_FOREVER;

struct relay {
    ls_chan *from, *to;
};

static int64_t relay(void *arg)
{
    ls_chan *from = ((struct relay *)arg)->from, *to = ((struct relay *)arg)->to;
    uint64_t v;
    while (ls_chan_recv(from, &v, deadline) == 0 && v > 0) {
        v--;
        if (ls_chan_send(to, &v, deadline) != 0)
            break;
    }
    return 0;
}

// A value goes round between two tasks, over two unbuffered channels.
static void bench_channel(void)
{
    uint64_t v = (uint64_t)count;
    struct relay relays[2];
    ls_chan_new(&relays[0].from, sizeof(v), 0);
    ls_chan_new(&relays[0].to, sizeof(v), 0);
    relays[1] = (struct relay){relays[0].to, relays[0].from};
    struct usage from = usage_now();
    ls_task first = ls_spawn(relay, &relays[0]), second = ls_spawn(relay, &relays[1]);
    ls_chan_send(relays[0].from, &v, LS_FOREVER);
    int64_t r = ls_await(first);
    print_usage(peer, operation, count, from);
    ls_chan_close(relays[0].from);
    ls_chan_close(relays[0].to);
    r = ls_await(second);
    (void)r;
    ls_chan_free(relays[0].from);
    ls_chan_free(relays[0].to);
}

static void bench_timer(void)
{
    enum { ARMED = 10000 };
    static struct ls_deadline armed[ARMED];
    struct ls_deadline d;
    for (int i = 0; i < ARMED; i++)
        ls_deadline_begin(&armed[i], LS_SEC(3600) + LS_MSEC(i));
    ls_sleep(LS_MSEC(2)); // they are in the wheel now
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

// What this machine asks for things that no program can do without: a reading of the CPU's counter, which the watched
// rows pay for, and the first touch of a page, one for each new stack.
static void floor_clock(void)
{
    struct usage from = usage_now();
    for (long i = 0; i < count; i++)
        (void)clock_ticks();
    print_usage(peer, "floor-clock", count, from);
}

static void floor_page(void)
{
    enum { APART = 65536 };
    size_t size = (size_t)count * APART;
    char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        return;
    madvise(pages, size, MADV_NOHUGEPAGE);
    struct usage from = usage_now();
    for (long i = 0; i < count; i++)
        pages[(size_t)i * APART] = 1;
    print_usage(peer, "floor-page", count, from);
    munmap(pages, size);
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
    else if (!strcmp(operation, "floors"))
        floor_clock(), floor_page();
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
