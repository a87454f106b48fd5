// Timers of libuv: each job makes one; one of five jobs gives up and never closes its own.
//
//   handle_leak leak|healthy
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static int leaks, jobs;

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_due(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, on_closed);
}

__attribute__((noinline)) static int start_job(uv_loop_t *loop)
{
    uv_timer_t *timer = malloc(sizeof(*timer));
    if (!timer)
        return -1;
    uv_timer_init(loop, timer);
    if (++jobs % 5 == 0 && leaks)
        return -1; // refused: the timer is forgotten
    return uv_timer_start(timer, on_due, 20, 0);
}

static void on_tick(uv_timer_t *tick)
{
    start_job(tick->loop);
}

int main(int argc, char **argv)
{
    uv_timer_t tick;
    leaks = argc > 1 && strcmp(argv[1], "leak") == 0;
    uv_timer_init(uv_default_loop(), &tick);
    uv_timer_start(&tick, on_tick, 0, 20);
    puts("ready");
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
