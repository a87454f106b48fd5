// A worker thread that hands its results to the loop's thread, by plain libuv.
//
//   off_thread wrong   the worker starts the timer itself, and writes to the pipe itself
//   off_thread right   it wakes the loop (uv_async_send), whose callback does so
//   off_thread handed  loops that are made by one thread, run by another and closed by the first: nothing is wrong
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

static uv_loop_t loop;
static uv_timer_t deadline;
static uv_async_t wake;
static uv_pipe_t sink;
static int safe, reader; // reader: the other end of the sink

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
}

static void on_written(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

__attribute__((noinline)) static void restart_deadline(void)
{
    if (uv_timer_start(&deadline, on_deadline, 60000, 0) != 0)
        abort();
}

__attribute__((noinline)) static void send_result(void)
{
    uv_buf_t text = uv_buf_init((char *)"result\n", 7);
    uv_write_t *request = malloc(sizeof(*request));
    if (request && uv_write(request, (uv_stream_t *)&sink, &text, 1, on_written) != 0)
        free(request);
}

static void on_wake(uv_async_t *async)
{
    (void)async;
    restart_deadline();
    send_result();
}

static void *work(void *arg)
{
    (void)arg;
    char text[256];
    for (;;) {
        usleep(50000);
        while (read(reader, text, sizeof(text)) > 0)
            ;
        if (safe) {
            uv_async_send(&wake);
        } else {
            restart_deadline();
            send_result();
        }
    }
    return NULL;
}

static int serve(void)
{
    pthread_t worker;
    int ends[2];
    uv_loop_init(&loop);
    uv_async_init(&loop, &wake, on_wake);
    uv_timer_init(&loop, &deadline);
    uv_pipe_init(&loop, &sink, 0);
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0 || uv_pipe_open(&sink, ends[1]) != 0)
        return 1;
    reader = ends[0];
    restart_deadline();
    if (pthread_create(&worker, NULL, work, NULL) != 0)
        return 1;
    puts("ready");
    fflush(stdout);
    return uv_run(&loop, UV_RUN_DEFAULT);
}

// ---- loops that are handed on ----

static void on_tick(uv_timer_t *timer)
{
    static int ticks;
    if (++ticks % 5 == 0)
        uv_stop(timer->loop);
}

static void *run_it(void *arg)
{
    uv_run(arg, UV_RUN_DEFAULT);
    return NULL;
}

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
}

static int hand_on(void)
{
    puts("ready");
    fflush(stdout);
    for (;;) {
        uv_loop_t short_lived;
        uv_timer_t tick;
        pthread_t runner;
        uv_loop_init(&short_lived);
        uv_timer_init(&short_lived, &tick);
        uv_timer_start(&tick, on_tick, 20, 20);
        if (pthread_create(&runner, NULL, run_it, &short_lived) != 0)
            return 1;
        pthread_join(runner, NULL);
        uv_close((uv_handle_t *)&tick, on_closed);
        uv_run(&short_lived, UV_RUN_DEFAULT);
        uv_loop_close(&short_lived);
    }
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "wrong";
    safe = strcmp(how, "right") == 0;
    return strcmp(how, "handed") == 0 ? hand_on() : serve();
}
