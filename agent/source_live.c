// The live session in a libuv loop: two descriptors to poll, one timer for all that is due.
#include <errno.h>
#include <stdlib.h>

#include "confine/confine.h"
#include "record/round.h"
#include "session.h"
#include "source.h"
#include "timer.h"

struct live {
    struct source source; // first: callers hold this
    struct session *session;
    uv_poll_t probe, stacker;
    uv_timer_t timer;
    int open_handles;
    bool closing, ended, dispatching;
};

static void work(struct live *l);

static void on_readable(uv_poll_t *h, int status, int events)
{
    (void)status;
    (void)events;
    work(h->data);
}

static void on_timer(uv_timer_t *t)
{
    work(t->data);
}

static void free_when_closed(uv_handle_t *h)
{
    struct live *l = h->data;
    if (--l->open_handles == 0 && l->closing)
        free(l);
}

static void arm(struct live *l)
{
    timer_after(&l->timer, on_timer, session_wait_ns(l->session));
}

static void work(struct live *l)
{
    if (l->closing || l->ended || l->dispatching)
        return;
    l->dispatching = true;
    struct snap *snap = session_dispatch(l->session);
    bool over = session_has_ended(l->session);
    l->ended = over;
    if (snap) {
        snap_round(snap);
        l->source.callbacks.snapshot(l->source.arg, snap);
        snap_unref(snap);
    }
    l->dispatching = false;
    if (l->closing)
        return; // closed by the callback
    if (!over) {
        arm(l);
        return;
    }
    uv_poll_stop(&l->probe);
    uv_poll_stop(&l->stacker);
    l->source.callbacks.end(l->source.arg, NULL);
}

static void close_handle(uv_handle_t *h)
{
    if (h->data) // was initialised
        uv_close(h, free_when_closed);
}

static void live_close(struct source *source)
{
    struct live *l = (struct live *)source;
    l->closing = true;
    close_handle((uv_handle_t *)&l->timer);
    close_handle((uv_handle_t *)&l->probe);
    close_handle((uv_handle_t *)&l->stacker);
    // libuv has let go of the descriptors by now: they may be closed.
    session_close(l->session);
    l->session = NULL;
}

static struct wishes *live_wishes(struct source *source)
{
    return session_wishes(((struct live *)source)->session);
}

static void live_resample(struct source *source)
{
    struct live *l = (struct live *)source;
    session_resample(l->session);
    if (!l->ended)
        uv_timer_start(&l->timer, on_timer, 0, 0);
}

static const struct source_ops ops = {
    .close = live_close,
    .wishes = live_wishes,
    .resample = live_resample,
};

static int start_handle(struct live *l, uv_poll_t *h, int fd)
{
    int r = uv_poll_init(l->source.loop, h, fd);
    if (r < 0)
        return r;
    h->data = l;
    l->open_handles++;
    return uv_poll_start(h, UV_READABLE, on_readable);
}

static int start(struct live *l)
{
    int r = uv_timer_init(l->source.loop, &l->timer);
    if (r < 0)
        return r;
    l->timer.data = l;
    l->open_handles++;
    r = start_handle(l, &l->probe, session_probe_fd(l->session));
    if (r == 0)
        r = start_handle(l, &l->stacker, session_stacker_fd(l->session));
    return r == 0 ? uv_timer_start(&l->timer, on_timer, 0, 0) : r;
}

int source_open_live(struct source **ret, uv_loop_t *loop, const struct opts *opts,
                     const struct source_callbacks *callbacks, void *arg, struct error *err)
{
    struct live *l = calloc(1, sizeof(*l));
    if (!l)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    l->source = (struct source){.ops = &ops, .loop = loop, .callbacks = *callbacks, .arg = arg};
    int r = session_open(&l->session, opts, err);
    if (r < 0) {
        free(l);
        return r;
    }
    r = start(l);
    if (r < 0) {
        error_set(err, STATUS_INTERNAL, -r, "cannot watch own descriptors: %s", uv_strerror(r));
        live_close(&l->source);
        return r;
    }
    r = opts->confinement ? confine(opts->confinement, err) : 0;
    if (r < 0) {
        live_close(&l->source);
        return r;
    }
    *ret = &l->source;
    return 0;
}
