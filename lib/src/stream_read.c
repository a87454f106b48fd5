// Reading from a stream.
#include "stream.h"

#include <stdlib.h>
#include <unistd.h>

#define BUFFER_SIZE 8192 // of ls_read_until

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
