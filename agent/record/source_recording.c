// A recording as a source of snapshots, so that nobody downstream knows which it is.
#include <errno.h>
#include <stdlib.h>

#include "../rules/rule.h"
#include "../source.h"
#include "../timer.h"
#include "replay.h"
#include "tables.h"

#define USUAL_NS 100000000 // --threshold where none was given

struct recording {
    struct source source; // first: ops see this
    struct replay *replay;
    struct rules *rules; // --rejudge
    const struct opts *opts;
    uv_idle_t idle;   // rate 0: one snapshot a turn of the loop
    uv_timer_t timer; // rate > 0: as long apart as they were, divided by the rate
    double rate;
    int64_t last_ns;
    int64_t threshold_ns; // --rejudge: what is shorter is no stall any more; 0: as recorded
    bool ended;
    int open_handles;
};

// A higher threshold than the recording's can be tried; what a lower one would have caught is not there.
static void raise_threshold(struct snap *s, int64_t threshold_ns)
{
    int kept = 0;
    if (threshold_ns <= s->threshold_ns)
        return;
    s->threshold_ns = threshold_ns;
    for (int i = 0; i < s->nstalls; i++)
        if (s->stalls[i].duration_ns >= threshold_ns)
            s->stalls[kept++] = s->stalls[i];
    s->nstalls = kept;
}

// Findings as today's rules see the recorded facts.
static void rejudge(struct recording *r, struct snap *s)
{
    int kept = 0;
    raise_threshold(s, r->threshold_ns);
    for (int i = 0; i < s->nevents; i++) {
        enum snap_event_kind kind = s->events[i].kind;
        if (kind != EVENT_OPEN && kind != EVENT_UPDATE && kind != EVENT_CLOSE)
            s->events[kept++] = s->events[i];
    }
    s->nevents = kept;
    s->nfindings = s->nnot_judged = 0;
    rules_judge(r->rules, s);
}

static void end(struct recording *r, const struct error *err)
{
    r->ended = true;
    uv_idle_stop(&r->idle);
    uv_timer_stop(&r->timer);
    r->source.callbacks.end(r->source.arg, err);
}

// Gives the next snapshot. False at the end.
static bool step(struct recording *r)
{
    struct error err = {0};
    struct snap *s = NULL;
    int rc = replay_next(r->replay, &s, &err);
    if (rc <= 0) {
        end(r, rc < 0 ? &err : NULL);
        return false;
    }
    if (r->rules) {
        struct snap *facts = snap_clone(s); // the reader compares the next one with its own
        snap_unref(s);
        s = facts;
        rejudge(r, s);
    }
    r->last_ns = s->now_ns;
    r->source.callbacks.snapshot(r->source.arg, s);
    snap_unref(s);
    return true;
}

static void on_idle(uv_idle_t *idle)
{
    step(idle->data);
}

static void on_timer(uv_timer_t *timer)
{
    struct recording *r = timer->data;
    int64_t before = r->last_ns;
    if (!step(r))
        return;
    double wait_ms = (double)(r->last_ns - before) / 1e6 / r->rate;
    timer_after(timer, on_timer, wait_ms > 0 && wait_ms < 1e9 ? (int64_t)(wait_ms * 1e6) : 0);
}

static void on_closed(uv_handle_t *handle)
{
    struct recording *r = handle->data;
    if (--r->open_handles > 0)
        return;
    replay_close(r->replay);
    rules_free(r->rules);
    free(r);
}

static void recording_close(struct source *s)
{
    struct recording *r = (struct recording *)s;
    uv_close((uv_handle_t *)&r->idle, on_closed);
    uv_close((uv_handle_t *)&r->timer, on_closed);
}

static int new_rules(struct recording *r, struct error *err)
{
    rules_free(r->rules);
    r->rules = NULL;
    if (!r->opts->rejudge)
        return 0;
    r->threshold_ns = r->opts->threshold_ns == USUAL_NS ? 0 : r->opts->threshold_ns;
    int rc = rules_new(&r->rules, r->opts->settings, r->opts->nsettings, r->opts->time_scale, err);
    return rc < 0 ? rc : rules_threshold(r->rules, &r->threshold_ns, err);
}

// Rules need the whole way to a point: then everything before it is judged again, silently.
static int seek_rejudged(struct recording *r, int64_t at_ns)
{
    struct error err;
    struct snap *s = NULL, *last = NULL;
    if (new_rules(r, &err) < 0 || replay_seek(r->replay, 0, &err) < 0)
        return -EIO;
    while (replay_next(r->replay, &s, &err) > 0 && (!last || s->now_ns <= at_ns)) {
        snap_unref(last);
        last = snap_clone(s);
        rejudge(r, last);
        snap_unref(s);
        s = NULL;
    }
    snap_unref(s);
    if (!last)
        return -EIO;
    r->last_ns = last->now_ns;
    r->source.callbacks.snapshot(r->source.arg, last);
    snap_unref(last);
    return 0;
}

static int recording_seek(struct source *s, int64_t at_ns)
{
    struct recording *r = (struct recording *)s;
    struct error err;
    if (r->rules)
        return seek_rejudged(r, at_ns);
    int rc = replay_seek(r->replay, at_ns, &err);
    if (rc < 0)
        return rc;
    r->ended = false;
    return step(r) ? 0 : -EIO;
}

static int64_t recording_length(struct source *s)
{
    return replay_length_ns(((struct recording *)s)->replay);
}

static const struct source_ops ops = {
    .close = recording_close, .seek = recording_seek, .length_ns = recording_length};

static void start(struct recording *r)
{
    uv_idle_init(r->source.loop, &r->idle);
    uv_timer_init(r->source.loop, &r->timer);
    r->idle.data = r->timer.data = r;
    r->open_handles = 2;
    if (r->rate == 0)
        uv_idle_start(&r->idle, on_idle);
    else if (r->rate > 0)
        uv_timer_start(&r->timer, on_timer, 0, 0);
}

int source_open_recording(struct source **ret, uv_loop_t *loop, const struct opts *opts,
                          double rate, const struct source_callbacks *callbacks, void *arg,
                          struct error *err)
{
    struct recording *r = calloc(1, sizeof(*r));
    if (!r)
        abort();
    r->source = (struct source){.ops = &ops, .loop = loop, .callbacks = *callbacks, .arg = arg};
    r->opts = opts;
    r->rate = rate;
    int rc = replay_open(&r->replay, opts->text, err);
    if (rc == 0)
        rc = new_rules(r, err);
    if (rc < 0) {
        replay_close(r->replay);
        free(r);
        return rc;
    }
    start(r);
    *ret = &r->source;
    return 0;
}
