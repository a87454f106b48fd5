// The inside of a stream, and how a task waits on one.
#ifndef LS_STREAM_H
#define LS_STREAM_H

#include "io.h"

#define SPREE 64 // calls without a wait until others get their turn

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

int ls__stream_arm_for(struct ls_stream *s, enum direction direction);
void ls__stream_disarm(struct ls_stream *s);
void ls__side_abort(struct task *t, int why);
int ls__stream_let_others_run(struct ls_stream *s, struct task *t, enum direction direction,
                              struct ls_site *site);

static inline int wait_for(struct ls_stream *s, struct task *t, enum direction direction,
                           enum ls_abi_wait kind, struct ls_site *site, int64_t timeout_ns)
{
    struct side side;
    int r = may_wait(t, false, timeout_ns);
    if (unlikely(r < 0))
        return r;
    if (unlikely(!(s->armed & event_of[direction])) && (r = ls__stream_arm_for(s, direction)) < 0)
        return r;
    side.task = t;
    side.stream = s;
    side.direction = direction;
    side.woken = side.closed = false;
    s->sides[direction] = &side;
    s->spree = 0;
    r = park_at(t->loop, t, (uint8_t)kind, (uint64_t)s->fd, site, timeout_ns, ls__side_abort, &side,
                false);
    if (unlikely(side.closed))
        return -EBADF;
    if (likely(side.stream != NULL))
        s->sides[direction] = NULL;
    return r;
}

static inline int breathe(struct ls_stream *s, struct task *t, enum direction direction,
                          struct ls_site *site)
{
    return likely(++s->spree < SPREE) ? 0 : ls__stream_let_others_run(s, t, direction, site);
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

#endif
