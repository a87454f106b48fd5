// Another agent's snapshots as a source, so that nobody downstream knows where they come from.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../record/tables.h"
#include "../source.h"
#include "wire.h"

#define WISH_EVERY_MS 1000
#define PATIENCE_MS   5000 // for its hello
#define BUF           65536

struct remote {
    struct source source; // first: ops see this
    uv_pipe_t pipe;
    uv_timer_t timer; // tells the wishes; before the hello: patience
    int open_handles;
    char *path;
    struct wire_frames frames;
    struct wire_reader *reader;
    struct wishes wishes;
    char buf[BUF];
    bool greeted, told_attached, over, closing;
};

struct sending {
    uv_write_t write;
    struct bytes bytes;
};

static void end(struct remote *r, const struct error *err)
{
    if (r->over)
        return;
    r->over = true;
    uv_timer_stop(&r->timer);
    uv_read_stop((uv_stream_t *)&r->pipe);
    r->source.callbacks.end(r->source.arg, err);
}

static void fail(struct remote *r, const char *what)
{
    struct error err;
    error_set(&err, STATUS_NO_ATTACH, ECONNABORTED, "%.200s: %.300s", r->path, what);
    end(r, &err);
}

static void on_written(uv_write_t *write, int status)
{
    struct sending *w = (struct sending *)write;
    (void)status; // a server that has gone is noticed by reading
    bytes_free(&w->bytes);
    free(w);
}

static void send_bytes(struct remote *r, struct bytes bytes)
{
    struct sending *w = calloc(1, sizeof(*w));
    if (!w)
        abort();
    w->bytes = bytes;
    uv_buf_t buf = uv_buf_init((char *)bytes.at, (unsigned)bytes.n);
    if (uv_write(&w->write, (uv_stream_t *)&r->pipe, &buf, 1, on_written) < 0)
        on_written(&w->write, 0);
}

static bool wishes_something(const struct wishes *w, int64_t now_ns)
{
    return w->tasks.until_ns > now_ns || w->fds.until_ns > now_ns ||
           w->fd_stacks_until_ns > now_ns || w->handles_until_ns > now_ns ||
           w->thread_checks_until_ns > now_ns || w->gc_walk_until_ns > now_ns;
}

static void on_wish_time(uv_timer_t *timer)
{
    struct remote *r = timer->data;
    int64_t now_ns = (int64_t)uv_hrtime();
    struct bytes b = {0};
    if (!wishes_something(&r->wishes, now_ns))
        return;
    wire_put_wish(&b, &r->wishes, now_ns);
    send_bytes(r, b);
}

static void on_patience_over(uv_timer_t *timer)
{
    fail(timer->data, "no loopscope answers there");
}

// Who comes later has not seen the attach: without it nobody would know that stalls are seen.
static struct snap *tell_attached(const struct snap *seen)
{
    struct snap *s = snap_clone(seen); // the reader compares the next one with its own
    int n = s->nevents;
    struct snap_event *events = snap_alloc(s, sizeof(*events) * (size_t)(n + s->nprocesses + 1));
    for (int i = 0; i < n; i++)
        events[i] = s->events[i];
    for (int i = 0; i < s->nprocesses; i++)
        if (s->processes[i].nloops > 0 && !s->processes[i].exited)
            events[n++] = (struct snap_event){
                .kind = EVENT_ATTACHED, .at_ns = s->now_ns, .pid = s->processes[i].pid};
    s->events = events;
    s->nevents = n;
    return s;
}

static int take_picture(struct remote *r, const uint8_t *body, size_t n)
{
    struct snap *s;
    if (!r->greeted || wire_take_picture(r->reader, body, n, &s) < 0)
        return -EBADMSG;
    if (!r->told_attached && s->nloops > 0) {
        struct snap *told = tell_attached(s);
        snap_unref(s);
        s = told;
        r->told_attached = true;
    }
    r->source.callbacks.snapshot(r->source.arg, s);
    snap_unref(s);
    return 0;
}

static int take_hello(struct remote *r, const uint8_t *body, size_t n)
{
    int rc = r->greeted ? -EBADMSG : wire_take_hello(body, n);
    if (rc == -ENOTSUP)
        fail(r, "the agent there is of another build of loopscope");
    if (rc < 0)
        return rc;
    struct bytes b = {0};
    r->greeted = true;
    wire_put_hello(&b);
    send_bytes(r, b);
    uv_timer_start(&r->timer, on_wish_time, 0, WISH_EVERY_MS);
    return 0;
}

// The words of the other side, for one line of ours.
static void fail_with(struct remote *r, const uint8_t *body, size_t n, const char *otherwise)
{
    char text[200];
    size_t kept = 0;
    for (size_t i = 0; i < n && kept + 1 < sizeof(text); i++)
        text[kept++] = body[i] >= 0x20 && body[i] < 0x7f ? (char)body[i] : '?';
    text[kept] = '\0';
    fail(r, kept ? text : otherwise);
}

static int take_frame(struct remote *r, enum wire_kind kind, const uint8_t *body, size_t n)
{
    switch (kind) {
    case WIRE_HELLO: return take_hello(r, body, n);
    case WIRE_PICTURE: return take_picture(r, body, n);
    case WIRE_REFUSED: fail_with(r, body, n, "refused"); return 0;
    case WIRE_END:
        if (n > 0)
            fail_with(r, body, n, "");
        else
            end(r, NULL);
        return 0;
    default: return -EBADMSG;
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct remote *r = handle->data;
    *ret = uv_buf_init(r->buf, sizeof(r->buf));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct remote *r = stream->data;
    enum wire_kind kind;
    const uint8_t *body;
    size_t length;
    int rc = 1;
    if (n < 0) {
        fail(r, r->greeted ? "the agent there has ended" : "no loopscope answers there");
        return;
    }
    wire_add(&r->frames, buf->base, (size_t)n);
    while (rc > 0 && !r->over && !r->closing &&
           (rc = wire_next(&r->frames, &kind, &body, &length)) > 0)
        if (take_frame(r, kind, body, length) < 0)
            rc = -EBADMSG;
    if (rc < 0)
        fail(r, "what came from there is not loopscope's");
}

static void on_closed(uv_handle_t *handle)
{
    struct remote *r = handle->data;
    if (--r->open_handles > 0)
        return;
    wire_reader_free(r->reader);
    bytes_free(&r->frames.pending);
    free(r->path);
    free(r);
}

static void remote_close(struct source *s)
{
    struct remote *r = (struct remote *)s;
    r->closing = r->over = true;
    uv_close((uv_handle_t *)&r->pipe, on_closed);
    uv_close((uv_handle_t *)&r->timer, on_closed);
}

static struct wishes *remote_wishes(struct source *s)
{
    return &((struct remote *)s)->wishes;
}

static void remote_resample(struct source *s)
{
    struct remote *r = (struct remote *)s;
    struct bytes b = {0};
    if (!r->greeted || r->over)
        return;
    wire_put(&b, WIRE_LOOK, NULL, 0);
    send_bytes(r, b);
}

static const struct source_ops ops = {
    .close = remote_close, .wishes = remote_wishes, .resample = remote_resample};

static int connect_to(const char *path, struct error *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(a.sun_path))
        return error_set(err, STATUS_USAGE, ENAMETOOLONG, "--connect: '%.80s...' is too long",
                         path);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    int cause = errno;
    if (fd >= 0)
        close(fd);
    error_set(err, STATUS_NO_ATTACH, cause, "cannot connect to %.200s: %s", path, strerror(cause));
    if (cause == EACCES)
        error_hint(err, "the agent there must be started with --allow-user for you");
    else
        error_hint(err, "loopscope serve TARGET --socket %.80s makes it", path);
    return -cause;
}

int source_open_socket(struct source **ret, uv_loop_t *loop, const struct opts *opts,
                       const struct source_callbacks *callbacks, void *arg, struct error *err)
{
    int fd = connect_to(opts->text, err);
    if (fd < 0)
        return fd;
    struct remote *r = calloc(1, sizeof(*r));
    if (!r || !(r->path = strdup(opts->text)))
        abort();
    r->source = (struct source){.ops = &ops, .loop = loop, .callbacks = *callbacks, .arg = arg};
    r->frames.max = WIRE_FROM_SERVER;
    r->reader = wire_reader_new();
    uv_pipe_init(loop, &r->pipe, 0);
    uv_timer_init(loop, &r->timer);
    r->pipe.data = r->timer.data = r;
    r->open_handles = 2;
    uv_pipe_open(&r->pipe, fd);
    uv_read_start((uv_stream_t *)&r->pipe, on_alloc, on_read);
    uv_timer_start(&r->timer, on_patience_over, PATIENCE_MS, 0);
    *ret = &r->source;
    return 0;
}
