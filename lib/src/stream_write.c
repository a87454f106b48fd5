// Writing to a stream: tried at once; what does not fit waits.
#include "stream.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define IOV_STEP 16

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
    ls__stream_disarm(s);
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
