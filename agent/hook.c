#include "hook.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_MS 1000

struct job {
    char *json;
    size_t size;
};

struct hook {
    uv_loop_t *loop;
    const char *command;
    uv_timer_t timer; // until the next start is allowed
    uv_process_t process;
    uv_pipe_t input;
    uv_write_t write;
    struct job running, queue[HOOK_QUEUE];
    int first, count, dropped;
    int open_handles;
    bool busy, resting, closing;
};

static void next(struct hook *h);

static void job_free(struct job *j)
{
    free(j->json);
    *j = (struct job){0};
}

static void maybe_free(struct hook *h)
{
    if (h->closing && h->open_handles == 0) {
        for (int i = 0; i < h->count; i++)
            job_free(&h->queue[(h->first + i) % HOOK_QUEUE]);
        free(h);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct hook *h = handle->data;
    h->open_handles--;
    if (handle != (uv_handle_t *)&h->timer && h->open_handles == (h->closing ? 0 : 1)) {
        job_free(&h->running);
        h->busy = false;
        if (!h->closing)
            next(h);
    }
    maybe_free(h);
}

static void close_input(struct hook *h)
{
    if (!uv_is_closing((uv_handle_t *)&h->input))
        uv_close((uv_handle_t *)&h->input, on_closed);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal)
{
    struct hook *h = process->data;
    if (status != 0 || signal != 0)
        fprintf(stderr, "loopscope: --exec command ended with %s %d\n",
                signal ? "signal" : "status", signal ? signal : (int)status);
    uv_close((uv_handle_t *)process, on_closed);
    close_input(h);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status; // the command need not read its stdin
    close_input(write->data);
}

static void on_rested(uv_timer_t *timer)
{
    struct hook *h = timer->data;
    h->resting = false;
    next(h);
}

static int spawn(struct hook *h)
{
    char *argv[] = {"/bin/sh", "-c", (char *)h->command, NULL};
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&h->input},
        {.flags = UV_INHERIT_FD, .data.fd = 2}, // stdout is ours: lines for programs
        {.flags = UV_INHERIT_FD, .data.fd = 2},
    };
    uv_process_options_t options = {
        .file = argv[0], .args = argv, .exit_cb = on_exit_of, .stdio = stdio, .stdio_count = 3};
    uv_pipe_init(h->loop, &h->input, 0);
    h->input.data = h->process.data = h->write.data = h;
    h->open_handles += 2;
    return uv_spawn(h->loop, &h->process, &options);
}

static void next(struct hook *h)
{
    if (h->busy || h->resting || h->closing || h->count == 0)
        return;
    h->running = h->queue[h->first];
    h->first = (h->first + 1) % HOOK_QUEUE;
    h->count--;
    h->busy = h->resting = true;
    uv_timer_start(&h->timer, on_rested, PERIOD_MS, 0);
    int rc = spawn(h);
    if (rc < 0) {
        fprintf(stderr, "loopscope: cannot run --exec command: %s\n", uv_strerror(rc));
        uv_close((uv_handle_t *)&h->process, on_closed);
        close_input(h);
        return;
    }
    uv_buf_t buf = uv_buf_init(h->running.json, (unsigned)h->running.size);
    uv_write(&h->write, (uv_stream_t *)&h->input, &buf, 1, on_written);
}

struct hook *hook_new(uv_loop_t *loop, const char *command)
{
    struct hook *h = calloc(1, sizeof(*h));
    if (!h)
        abort();
    h->loop = loop;
    h->command = command;
    uv_timer_init(loop, &h->timer);
    h->timer.data = h;
    h->open_handles = 1;
    return h;
}

void hook_run(struct hook *h, char *json, size_t size)
{
    if (h->count == HOOK_QUEUE) {
        if (h->dropped++ == 0)
            fputs("loopscope: --exec is slower than the findings come: some are left out\n",
                  stderr);
        free(json);
        return;
    }
    h->queue[(h->first + h->count++) % HOOK_QUEUE] = (struct job){json, size};
    next(h);
}

void hook_close(struct hook *h)
{
    if (!h || h->closing)
        return;
    h->closing = true;
    uv_close((uv_handle_t *)&h->timer, on_closed);
    if (h->busy && !uv_is_closing((uv_handle_t *)&h->process)) {
        // The command outlives us by design; only our hold on it ends.
        close_input(h);
        uv_close((uv_handle_t *)&h->process, on_closed);
    }
}
