#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/spawner.h"

#define PERIOD_MS 1000

struct job {
    char *json;
    size_t size;
};

struct hook {
    uv_loop_t *loop;
    struct spawner *spawner;
    uv_timer_t timer; // until the next start is allowed
    uv_poll_t ends;   // of what the spawner started
    uv_pipe_t input;
    uv_write_t write;
    pid_t pid; // 0: none runs
    struct job running, queue[HOOK_QUEUE];
    int first, count, dropped;
    int open_handles;
    bool feeding; // input is open, or closing
    bool resting, closing;
};

static void next(struct hook *h);

static void job_free(struct job *j)
{
    free(j->json);
    *j = (struct job){0};
}

static void on_closed(uv_handle_t *handle)
{
    struct hook *h = handle->data;
    h->open_handles--;
    if (handle == (uv_handle_t *)&h->input) {
        job_free(&h->running);
        h->feeding = false;
        next(h);
    }
    if (!h->closing || h->open_handles > 0)
        return;
    for (int i = 0; i < h->count; i++)
        job_free(&h->queue[(h->first + i) % HOOK_QUEUE]);
    spawner_close(h->spawner);
    free(h);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void tell_end(const struct spawn_end *end)
{
    if (WIFSIGNALED(end->status))
        fprintf(stderr, "loopscope: --exec command ended with signal %d\n", WTERMSIG(end->status));
    else if (WEXITSTATUS(end->status))
        fprintf(stderr, "loopscope: --exec command ended with status %d\n",
                WEXITSTATUS(end->status));
}

static void on_end(uv_poll_t *poll, int status, int events)
{
    struct hook *h = poll->data;
    struct spawn_end end;
    (void)status, (void)events;
    bool ended = spawner_ended(h->spawner, h->pid, 0, &end);
    if (spawner_is_gone(h->spawner)) {
        uv_poll_stop(poll); // its descriptor stays readable for ever
        fputs("loopscope: --exec is over: what started its command was killed\n", stderr);
    } else if (!ended) {
        return;
    }
    if (ended)
        tell_end(&end);
    h->pid = 0;
    if (h->feeding)
        close_handle((uv_handle_t *)&h->input);
    next(h);
}

static void on_written(uv_write_t *write, int status)
{
    struct hook *h = write->data;
    (void)status; // the command need not read its stdin
    close_handle((uv_handle_t *)&h->input);
}

static void on_rested(uv_timer_t *timer)
{
    struct hook *h = timer->data;
    h->resting = false;
    next(h);
}

static int feed(struct hook *h, int fd)
{
    uv_pipe_init(h->loop, &h->input, 0);
    h->input.data = h->write.data = h;
    h->open_handles++;
    h->feeding = true;
    int rc = uv_pipe_open(&h->input, fd);
    if (rc < 0) {
        close(fd);
        close_handle((uv_handle_t *)&h->input);
        return rc;
    }
    uv_buf_t buf = uv_buf_init(h->running.json, (unsigned)h->running.size);
    return uv_write(&h->write, (uv_stream_t *)&h->input, &buf, 1, on_written);
}

static int start(struct hook *h)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = spawner_start(h->spawner, ends[0]);
    close(ends[0]);
    if (pid < 0) {
        close(ends[1]);
        return pid;
    }
    h->pid = pid;
    return feed(h, ends[1]);
}

static void next(struct hook *h)
{
    if (h->pid || h->feeding || h->resting || h->closing || h->count == 0)
        return;
    h->running = h->queue[h->first];
    h->first = (h->first + 1) % HOOK_QUEUE;
    h->count--;
    h->resting = true;
    uv_timer_start(&h->timer, on_rested, PERIOD_MS, 0);
    int rc = start(h);
    if (rc < 0)
        fprintf(stderr, "loopscope: cannot run --exec command: %s\n", uv_strerror(rc));
    if (!h->feeding)
        job_free(&h->running);
}

int hook_open(struct hook **ret, uv_loop_t *loop, const char *command, struct error *err)
{
    struct hook *h = calloc(1, sizeof(*h));
    if (!h)
        abort();
    char *const argv[] = {"/bin/sh", "-c", (char *)command, NULL};
    const struct spawn_program shell = {
        .file = argv[0], .argv = argv, .fd = STDIN_FILENO, .out_to_err = true};
    int rc = spawner_open(&h->spawner, &shell);
    if (rc < 0) {
        free(h);
        return error_set(err, STATUS_INTERNAL, -rc, "cannot prepare --exec: %s", strerror(-rc));
    }
    h->loop = loop;
    h->timer.data = h->ends.data = h;
    uv_timer_init(loop, &h->timer);
    h->open_handles = 1;
    rc = uv_poll_init(loop, &h->ends, spawner_fd(h->spawner));
    if (rc < 0) {
        hook_close(h);
        return error_set(err, STATUS_INTERNAL, -rc, "cannot prepare --exec: %s", uv_strerror(rc));
    }
    h->open_handles++;
    uv_poll_start(&h->ends, UV_READABLE, on_end);
    *ret = h;
    return 0;
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
    h->closing = true; // a command that runs outlives us by design; only our hold on it ends
    close_handle((uv_handle_t *)&h->timer);
    if (h->ends.loop) // was initialised
        close_handle((uv_handle_t *)&h->ends);
    if (h->feeding)
        close_handle((uv_handle_t *)&h->input);
}
