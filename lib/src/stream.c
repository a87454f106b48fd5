// Streams: sockets, pipes, terminals. The descriptor is watched by a uv_poll_t; reading and writing is done by the task
// itself, with the system's calls, so that what they cost is seen at the task that makes them.
//
// One system call a message. A read that did not fill its buffer has emptied the socket: the next one waits without
// asking again. Reading stays armed between calls: the poll is level-triggered, so nothing is missed; an event that
// nobody waits for disarms it until the next wait. A write is tried at once and waits only for what did not fit.
//
// A stream may be closed while a task waits on it, or was woken and has not run yet. The waiting side lies on that task's
// stack and is told; it must not touch the stream then.
#include "stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// ---- life ----

static void on_event(uv_poll_t *poll, int status, int events);

static void free_stream(uv_handle_t *handle)
{
    struct ls_stream *s = list_entry(handle, struct ls_stream, poll);
    free(s->buffer);
    free(s);
}

static void release_stream(struct owned *o)
{
    ls_close_at(NULL, list_entry(o, struct ls_stream, owned));
}

static bool is_socket(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

int ls__stream_new(ls_stream **ret, int fd)
{
    struct ls_loop *l = ls__loop;
    *ret = NULL;
    if (!l)
        return -EPERM;
    ls_stream *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    int r = uv_poll_init(l->uv, &s->poll, fd);
    if (r < 0) {
        free(s);
        return r;
    }
    uv_unref((uv_handle_t *)&s->poll);
    s->fd = fd;
    s->is_socket = is_socket(fd);
    ls__owned_init(&s->owned, l, release_stream);
    *ret = s;
    return 0;
}

int ls_stream_from_fd_at(struct ls_site *site, ls_stream **ret, int fd)
{
    *ret = NULL;
    if (!ls__loop)
        return ls__wrong_loop(site, "ls_stream_from_fd");
    return ls__stream_new(ret, fd); // libuv makes it non-blocking
}

int ls_stream_pair_at(struct ls_site *site, ls_stream *ends[2])
{
    int fds[2], r;
    ends[0] = ends[1] = NULL;
    if (!ls__loop)
        return ls__wrong_loop(site, "ls_stream_pair");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        if ((r = ls__stream_new(&ends[i], fds[i])) < 0) {
            close(fds[1]);
            if (i == 0)
                close(fds[0]);
            ls_close_at(NULL, ends[0]);
            ends[0] = NULL;
            return r;
        }
    }
    return 0;
}

static void tell_closed(struct side *side)
{
    if (!side)
        return;
    side->closed = true;
    if (!side->woken)
        ls__wake(side->task, -EBADF);
}

static void leave_place(struct ls_stream *s)
{
    if (s->place)
        *s->place = NULL;
    s->place = NULL;
}

void ls_close_at(struct ls_site *site, ls_stream *s)
{
    if (!s)
        return;
    if (s->owned.loop != ls__loop) {
        ls__wrong_loop_of(s->owned.loop, site, "ls_close");
        return;
    }
    ls__owned_forget(&s->owned);
    leave_place(s);
    tell_closed(s->sides[READING]);
    tell_closed(s->sides[WRITING]);
    uv_close((uv_handle_t *)&s->poll, free_stream);
    close(s->fd);
}

int ls_stream_adopt_at(struct ls_site *site, ls_stream *s)
{
    int r = ls__owned_adopt(site, &s->owned, "ls_stream_adopt");
    if (r == 0)
        leave_place(s);
    return r;
}

int ls_stream_disown_at(struct ls_site *site, ls_stream *s)
{
    int r = ls__owned_disown(site, &s->owned, "ls_stream_disown");
    if (r == 0)
        leave_place(s);
    return r;
}

void ls__stream_leave(ls_stream *s, ls_stream **place)
{
    ls__owned_forget(&s->owned);
    s->place = place;
}

// ---- waiting ----

static int arm(struct ls_stream *s, int events)
{
    int r = events ? uv_poll_start(&s->poll, events, on_event) : uv_poll_stop(&s->poll);
    if (r == 0)
        s->armed = events;
    return r;
}

// The events to forget: nobody waits for them.
static int give_event(struct ls_stream *s, enum direction direction)
{
    struct side *side = s->sides[direction];
    if (!side) {
        if (direction == READING)
            s->ready = true;
        return event_of[direction];
    }
    if (!side->woken) {
        side->woken = true;
        ls__wake(side->task, 0);
    }
    return 0; // woken, and has not run yet: the event will come again
}

static __attribute__((noinline)) void on_rare_event(struct ls_stream *s, int status, int events)
{
    int idle = 0;
    if (status < 0) { // libuv has stopped watching; the call itself will tell the error
        s->armed = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (events & UV_READABLE)
        idle |= give_event(s, READING);
    if (events & UV_WRITABLE)
        idle |= give_event(s, WRITING);
    if (idle & s->armed)
        arm(s, s->armed & ~idle);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct ls_stream *s = list_entry(poll, struct ls_stream, poll);
    struct side *side = s->sides[READING];
    if (unlikely(status < 0 || events != UV_READABLE || !side || side->woken)) {
        on_rare_event(s, status, events);
        return;
    }
    side->woken = true;
    ls__wake(side->task, 0);
}

void ls__side_abort(struct task *t, int why)
{
    struct side *side = t->wait_op;
    side->stream->sides[side->direction] = NULL;
    side->stream = NULL;
    ls__wake(t, why);
}

int ls__stream_arm_for(struct ls_stream *s, enum direction direction)
{
    return arm(s, s->armed | event_of[direction]);
}

void ls__stream_disarm(struct ls_stream *s)
{
    arm(s, 0);
}

// A stream that is always ready must not keep the others from running.
int ls__stream_let_others_run(struct ls_stream *s, struct task *t, enum direction direction,
                              struct ls_site *site)
{
    struct side side = {.task = t, .stream = s, .direction = direction, .woken = true};
    s->spree = 0;
    s->sides[direction] = &side;
    int r = ls_yield_at(site);
    if (side.closed)
        return -EBADF;
    s->sides[direction] = NULL;
    return r;
}

int ls__stream_connected(struct ls_site *site, ls_stream *s, int64_t timeout_ns)
{
    int error = 0;
    socklen_t size = sizeof(error);
    int r = wait_for(s, task_current(), WRITING, LS_ABI_WAIT_CONNECT, site, timeout_ns);
    if (r < 0)
        return r;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    return -error;
}

// ---- about it ----

int ls_stream_fd(const ls_stream *s)
{
    return s->fd;
}

int ls_stream_nodelay(ls_stream *s, bool on)
{
    int value = on;
    return setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)) < 0 ? -errno : 0;
}

static void print_unix(const struct sockaddr_un *a, socklen_t length, char *text, size_t size)
{
    size_t n = length > offsetof(struct sockaddr_un, sun_path)
                   ? length - offsetof(struct sockaddr_un, sun_path)
                   : 0;
    if (n == 0)
        snprintf(text, size, "unix:");
    else if (a->sun_path[0] == 0)
        snprintf(text, size, "unix:@%.*s", (int)n - 1, a->sun_path + 1);
    else
        snprintf(text, size, "unix:%.*s", (int)strnlen(a->sun_path, n), a->sun_path);
}

int ls_stream_peer(const ls_stream *s, char *text, size_t size)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } a;
    socklen_t length = sizeof(a);
    char name[INET6_ADDRSTRLEN] = "";
    if (getpeername(s->fd, &a.any, &length) < 0)
        return -errno;
    if (a.any.sa_family == AF_UNIX) {
        print_unix(&a.un, length, text, size);
    } else if (a.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a.in.sin_addr, name, sizeof(name));
        snprintf(text, size, "%s:%u", name, ntohs(a.in.sin_port));
    } else if (a.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a.in6.sin6_addr, name, sizeof(name));
        snprintf(text, size, "[%s]:%u", name, ntohs(a.in6.sin6_port));
    } else {
        return -EAFNOSUPPORT;
    }
    return 0;
}
