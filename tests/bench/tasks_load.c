// Targets whose tasks are read, and whose calls are probed, to measure what they pay for it.
//
// usage: tasks_load spawn WAITING COUNTER-FILE   so many tasks wait; others are spawned and awaited without end
//        tasks_load wait WAITING COUNTER-FILE    so many tasks wait, and nothing else; the counter says when they do
//        tasks_load calls 0|1 COUNTER-FILE       plain libuv without end: uv_timer_start and uv_timer_stop, whose first
//                                                instructions a probe of the kernel has to step over, or uv_update_time,
//                                                whose it does itself
#include <errno.h>
#include <fcntl.h>
#include <loopscope/loopscope.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <uv.h>

#define BATCH 50
#define CALLS 1000

struct load {
    int waiting;
    bool spawns;
    ls_event *end;
};

static volatile uint64_t *operations;

static int64_t waits(void *arg)
{
    struct load *l = arg;
    return ls_event_wait(l->end, LS_FOREVER);
}

static int64_t nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int64_t spawn_without_end(void)
{
    ls_task tasks[BATCH];
    for (int64_t r = 0;;) {
        for (int i = 0; i < BATCH; i++)
            tasks[i] = ls_spawn(nothing, NULL);
        for (int i = 0; i < BATCH && r == 0; i++)
            r = ls_await(tasks[i]);
        if (r < 0 || (r = ls_yield()) < 0)
            return r;
        *operations += BATCH;
    }
}

static int64_t run(void *arg)
{
    struct load *l = arg;
    ls_group *group;
    int64_t r = ls_event_new(&l->end);
    if (r < 0 || (r = ls_group_open(&group, LS_FAIL_FAST, 0)) < 0)
        return r;
    for (int i = 0; i < l->waiting; i++) {
        ls_group_spawn(group, waits, l, NULL);
        if (i % 1000 == 0 && (r = ls_yield()) < 0)
            return r;
    }
    if (l->spawns)
        return spawn_without_end();
    while ((r = ls_sleep(LS_MSEC(50))) == 0)
        *operations = 1;
    return r;
}

static void on_due(uv_timer_t *timer)
{
    (void)timer;
}

static void update(uv_idle_t *idle)
{
    for (int i = 0; i < CALLS; i++)
        uv_update_time(idle->loop);
    *operations += CALLS;
}

static void start_and_stop(uv_idle_t *idle)
{
    uv_timer_t *timer = idle->data;
    for (int i = 0; i < CALLS / 2; i++) {
        uv_timer_start(timer, on_due, 60000, 0);
        uv_timer_stop(timer);
    }
    *operations += CALLS;
}

static int call_without_end(uv_idle_cb what)
{
    uv_timer_t timer;
    uv_idle_t idle = {.data = &timer};
    uv_timer_init(uv_default_loop(), &timer);
    uv_idle_init(uv_default_loop(), &idle);
    uv_idle_start(&idle, what);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    int fd = argc == 4 ? open(argv[3], O_RDWR | O_CREAT, 0600) : -1;
    if (fd < 0 || ftruncate(fd, 8))
        return 2;
    operations = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (operations == MAP_FAILED)
        return 2;
    if (strcmp(argv[1], "calls") == 0)
        return call_without_end(atoi(argv[2]) ? update : start_and_stop);
    struct load load = {.waiting = atoi(argv[2]), .spawns = strcmp(argv[1], "spawn") == 0};
    int64_t r = ls_run(run, &load);
    fprintf(stderr, "tasks_load: %s\n", strerror((int)-r));
    return 1;
}
