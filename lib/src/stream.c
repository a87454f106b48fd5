// Streams: sockets, pipes, terminals. The descriptor is watched by a uv_poll_t; reading and writing is done by the task
// itself, with the system's calls, so that what they cost is seen at the task that makes them.
//
// One system call a message. A read that did not fill its buffer has emptied the socket: the next one waits without
// asking again. Reading stays armed between calls: the poll is level-triggered, so nothing is missed; an event that
// nobody waits for disarms it until the next wait. A write is tried at once and waits only for what did not fit.
//
// A stream may be closed while a task waits on it, or was woken and has not run yet. The waiting side lies on that task's
// stack and is told; it must not touch the stream then.
#include "io.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER_SIZE 8192 // of ls_read_until
#define SPREE       64   // calls without a wait until others get their turn
#define IOV_STEP    16

enum direction { READING, WRITING };

struct side { // of a task that waits
    struct task *task;
    struct ls_stream *stream; // NULL: interrupted
    enum direction direction;
    bool woken, closed;
};

struct ls_stream {
    uv_poll_t poll;
    struct owned owned;
    struct side *sides[2];
    ls_stream **place; // in the object that closes it; NULL none
    int fd;
    int armed; // enum uv_poll_event
    bool is_socket, shut;
    bool ready; // a read may find something
    uint8_t spree;
    char *buffer; // what ls_read_until read ahead
    uint32_t begin, end;
};

static const int event_of[] = {[READING] = UV_READABLE, [WRITING] = UV_WRITABLE};

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
    ls_close(list_entry(o, struct ls_stream, owned));
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

int ls_stream_from_fd(ls_stream **ret, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    *ret = NULL;
    if (flags < 0)
        return -errno;
    int r = ls__stream_new(ret, fd);
    if (r == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        r = -errno;
    return r;
}

int ls_stream_pair(ls_stream *ends[2])
{
    int fds[2], r;
    ends[0] = ends[1] = NULL;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        if ((r = ls__stream_new(&ends[i], fds[i])) < 0) {
            close(fds[1]);
            if (i == 0)
                close(fds[0]);
            ls_close(ends[0]);
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

void ls_close(ls_stream *s)
{
    if (!s)
        return;
    if (s->owned.loop != ls__loop) {
        ls__wrong_loop_of(s->owned.loop, NULL, "ls_close");
        return;
    }
    ls__owned_forget(&s->owned);
    leave_place(s);
    tell_closed(s->sides[READING]);
    tell_closed(s->sides[WRITING]);
    uv_close((uv_handle_t *)&s->poll, free_stream);
    close(s->fd);
}

int ls_stream_adopt(ls_stream *s)
{
    int r = ls__owned_adopt(&s->owned, "ls_stream_adopt");
    if (r == 0)
        leave_place(s);
    return r;
}

int ls_stream_disown(ls_stream *s)
{
    int r = ls__owned_disown(&s->owned, "ls_stream_disown");
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

static void side_abort(struct task *t, int why)
{
    struct side *side = t->wait_op;
    side->stream->sides[side->direction] = NULL;
    side->stream = NULL;
    ls__wake(t, why);
}

static __attribute__((noinline)) int arm_for(struct ls_stream *s, enum direction direction)
{
    return arm(s, s->armed | event_of[direction]);
}

static inline int wait_for(struct ls_stream *s, struct task *t, enum direction direction,
                           enum ls_abi_wait kind, struct ls_site *site, int64_t timeout_ns)
{
    struct side side;
    int r = may_wait(t, false, timeout_ns);
    if (unlikely(r < 0))
        return r;
    if (unlikely(!(s->armed & event_of[direction])) && (r = arm_for(s, direction)) < 0)
        return r;
    side.task = t;
    side.stream = s;
    side.direction = direction;
    side.woken = side.closed = false;
    s->sides[direction] = &side;
    s->spree = 0;
    r = park_at(t->loop, t, (uint8_t)kind, (uint64_t)s->fd, site, timeout_ns, side_abort, &side,
                false);
    if (unlikely(side.closed))
        return -EBADF;
    if (likely(side.stream != NULL))
        s->sides[direction] = NULL;
    return r;
}

// A stream that is always ready must not keep the others from running.
static __attribute__((noinline)) int let_others_run(struct ls_stream *s, struct task *t,
                                                    enum direction direction, struct ls_site *site)
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

static inline int breathe(struct ls_stream *s, struct task *t, enum direction direction,
                          struct ls_site *site)
{
    return likely(++s->spree < SPREE) ? 0 : let_others_run(s, t, direction, site);
}

static inline int enter(struct ls_site *site, const char *call, struct ls_stream *s,
                        enum direction direction, struct task **ret)
{
    struct task *t = task_current();
    *ret = t;
    if (unlikely(!t))
        return ls__not_in_task(site, call);
    if (unlikely(t->loop != s->owned.loop))
        return ls__wrong_loop_of(s->owned.loop, site, call);
    if (unlikely(s->sides[direction] != NULL))
        return ls__misuse(site, -EBUSY, "%s: task \"%s\" waits on this stream", call,
                          ls__task_label(s->sides[direction]->task));
    return t->interrupt;
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

// ---- reading ----

static inline ssize_t read_now(struct ls_stream *s, void *buffer, size_t size)
{
    ssize_t n = read(s->fd, buffer, size);
    while (unlikely(n < 0) && errno == EINTR)
        n = read(s->fd, buffer, size);
    s->ready = n > 0 && (size_t)n == size;
    return likely(n >= 0) ? n : -errno;
}

static ssize_t read_some(struct ls_stream *s, struct task *t, void *buffer, size_t size,
                         struct ls_site *site, int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    ssize_t n;
    if (s->ready || timeout_ns == 0) {
        int r = breathe(s, t, READING, site);
        if (r < 0)
            return r;
        if ((n = read_now(s, buffer, size)) != -EAGAIN)
            return n;
    }
    for (;;) {
        int r = wait_for(s, t, READING, LS_ABI_WAIT_READ, site, timeout_ns);
        if (unlikely(r < 0))
            return r;
        n = read_now(s, buffer, size);
        if (likely(n != -EAGAIN))
            return n;
        timeout_ns = span_left(until);
    }
}

static size_t take_buffered(struct ls_stream *s, void *buffer, size_t size)
{
    size_t n = s->end - s->begin;
    if (n > size)
        n = size;
    memcpy(buffer, s->buffer + s->begin, n);
    s->begin += (uint32_t)n;
    return n;
}

static __attribute__((noinline)) ssize_t read_slowly(struct ls_site *site, ls_stream *s,
                                                     void *buffer, size_t size, int64_t timeout_ns)
{
    struct task *t;
    int r = enter(site, "ls_read", s, READING, &t);
    if (r < 0)
        return r;
    if (s->begin < s->end)
        return (ssize_t)take_buffered(s, buffer, size);
    return size > 0 ? read_some(s, t, buffer, size, site, timeout_ns) : 0;
}

// The common case by itself: nothing is there yet, wait without a bound, read once.
ssize_t ls_read_at(struct ls_site *site, ls_stream *s, void *buffer, size_t size,
                   int64_t timeout_ns)
{
    struct ls_loop *l = ls__loop;
    struct task *t;
    if (unlikely(!l || l != s->owned.loop || !(t = l->current) || t->interrupt ||
                 s->sides[READING] || s->ready || s->begin < s->end || size == 0 ||
                 timeout_ns >= 0))
        return read_slowly(site, s, buffer, size, timeout_ns);
    int r = wait_for(s, t, READING, LS_ABI_WAIT_READ, site, LS_FOREVER);
    if (unlikely(r < 0))
        return r;
    ssize_t n = read(s->fd, buffer, size);
    if (unlikely(n < 0)) {
        if (errno != EAGAIN && errno != EINTR) // the kernel tells an error once
            return -errno;
        s->ready = true;
        return read_slowly(site, s, buffer, size, timeout_ns);
    }
    s->ready = (size_t)n == size;
    return n;
}

int ls_read_exact_at(struct ls_site *site, ls_stream *s, void *buffer, size_t size,
                     int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    for (size_t done = 0; done < size;) {
        ssize_t n = ls_read_at(site, s, (char *)buffer + done, size - done, span_left(until));
        if (n <= 0)
            return n < 0 ? (int)n : -ENODATA;
        done += (size_t)n;
    }
    return 0;
}

static ssize_t fill_buffer(struct ls_stream *s, struct task *t, struct ls_site *site,
                           int64_t timeout_ns)
{
    if (!s->buffer && !(s->buffer = malloc(BUFFER_SIZE)))
        return -ENOMEM;
    ssize_t n = read_some(s, t, s->buffer, BUFFER_SIZE, site, timeout_ns);
    if (n > 0) { // else the stream may be gone
        s->begin = 0;
        s->end = (uint32_t)n;
    }
    return n;
}

ssize_t ls_read_until_at(struct ls_site *site, ls_stream *s, char *buffer, size_t size,
                         char delimiter, int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    struct task *t;
    size_t length = 0;
    int r = enter(site, "ls_read_until", s, READING, &t);
    if (r < 0)
        return r;
    if (size == 0)
        return -EMSGSIZE;
    while (length + 1 < size) {
        if (s->begin == s->end) {
            ssize_t n = fill_buffer(s, t, site, span_left(until));
            if (n < 0)
                return n;
            if (n == 0)
                break;
        }
        size_t room = size - 1 - length, there = s->end - s->begin;
        const char *end = memchr(s->buffer + s->begin, delimiter, there < room ? there : room);
        size_t want = end ? (size_t)(end - (s->buffer + s->begin)) + 1 : room;
        length += take_buffered(s, buffer + length, want);
        buffer[length] = 0;
        if (end)
            return (ssize_t)length;
    }
    buffer[length] = 0;
    return length + 1 == size ? -EMSGSIZE : (ssize_t)length;
}

// ---- writing ----

// write(2) has no flag against SIGPIPE: it is held back, and taken if it came.
static ssize_t write_pipe(int fd, const struct iovec *iov, int n)
{
    sigset_t pipe_set, old, pending;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
    ssize_t done = writev(fd, iov, n);
    int error = errno;
    if (done < 0 && error == EPIPE && !was_pending)
        sigtimedwait(&pipe_set, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return done;
}

static ssize_t write_now(const struct ls_stream *s, const struct iovec *iov, int n)
{
    ssize_t done;
    if (unlikely(s->shut))
        return -EPIPE;
    do {
        if (!s->is_socket) {
            done = write_pipe(s->fd, iov, n);
        } else if (likely(n == 1)) {
            done = send(s->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
        } else {
            struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                                     .msg_iovlen = (size_t)n};
            done = sendmsg(s->fd, &message, MSG_NOSIGNAL);
        }
    } while (unlikely(done < 0) && errno == EINTR);
    return likely(done >= 0) ? done : -errno;
}

// Whether everything has been written after `done` more bytes.
static bool advance(struct iovec **iov, int *n, size_t done)
{
    while (*n > 0 && done >= (*iov)->iov_len) {
        done -= (*iov)->iov_len;
        ++*iov;
        --*n;
    }
    if (*n == 0)
        return true;
    (*iov)->iov_base = (char *)(*iov)->iov_base + done;
    (*iov)->iov_len -= done;
    return false;
}

static int write_step(struct ls_stream *s, struct task *t, struct iovec *iov, int n,
                      struct ls_site *site, int64_t timeout_ns, int64_t until)
{
    for (;;) {
        ssize_t done = write_now(s, iov, n);
        if (done < 0 && done != -EAGAIN)
            return (int)done;
        if (advance(&iov, &n, done > 0 ? (size_t)done : 0))
            return 0;
        int r = wait_for(s, t, WRITING, LS_ABI_WAIT_WRITE, site,
                         timeout_ns < 0 ? timeout_ns : span_left(until));
        if (r < 0)
            return r;
    }
}

static __attribute__((noinline)) int write_slowly(struct ls_site *site, ls_stream *s,
                                                  const void *data, size_t size, int64_t timeout_ns)
{
    struct task *t;
    struct iovec iov = {(void *)(uintptr_t)data, size};
    int r = enter(site, "ls_write", s, WRITING, &t);
    if (r < 0 || (r = breathe(s, t, WRITING, site)) < 0)
        return r;
    return write_step(s, t, &iov, 1, site, timeout_ns, span_begin(timeout_ns));
}

// The common case by itself: the socket takes everything.
int ls_write_at(struct ls_site *site, ls_stream *s, const void *data, size_t size,
                int64_t timeout_ns)
{
    struct ls_loop *l = ls__loop;
    const struct task *t;
    size_t done = 0;
    if (likely(l && l == s->owned.loop && (t = l->current) && !t->interrupt && s->is_socket &&
               !s->sides[WRITING] && !s->shut && s->spree < SPREE - 1)) {
        ssize_t n = send(s->fd, data, size, MSG_NOSIGNAL);
        s->spree++;
        if (likely(n == (ssize_t)size))
            return 0;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        done = n > 0 ? (size_t)n : 0;
    }
    return write_slowly(site, s, (const char *)data + done, size - done, timeout_ns);
}

int ls_writev_at(struct ls_site *site, ls_stream *s, const struct iovec *iov, int n,
                 int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    struct task *t;
    int r = enter(site, "ls_writev", s, WRITING, &t);
    if (r < 0 || (r = breathe(s, t, WRITING, site)) < 0)
        return r;
    for (int i = 0; r == 0 && i < n; i += IOV_STEP) {
        struct iovec step[IOV_STEP];
        int count = n - i < IOV_STEP ? n - i : IOV_STEP;
        memcpy(step, iov + i, (size_t)count * sizeof(*iov));
        r = write_step(s, t, step, count, site, timeout_ns, until);
    }
    return r;
}

// A pipe cannot be shut down, only closed: /dev/null takes its place, so that the number stays ours until ls_close.
static int shut_pipe(struct ls_stream *s)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0)
        return -errno;
    arm(s, 0);
    int r = dup3(null, s->fd, O_CLOEXEC) < 0 ? -errno : 0;
    close(null);
    return r;
}

int ls_shutdown_at(struct ls_site *site, ls_stream *s, int64_t timeout_ns)
{
    struct task *t;
    int r = enter(site, "ls_shutdown", s, WRITING, &t);
    (void)timeout_ns; // all that was written is with the kernel: there is nothing to wait for
    if (r < 0 || s->shut)
        return r;
    r = s->is_socket ? (shutdown(s->fd, SHUT_WR) < 0 ? -errno : 0) : shut_pipe(s);
    if (r == 0)
        s->shut = true;
    return r;
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
