#include "collect.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "source.h"
#include "wish.h"

#define MS       1000000LL
#define MIN_FDS  32 // fewer, and libuv aborts where it cannot make its own
#define SLACK_MS 10 // a window of 2 s must hold 2 s of judging

struct state {
    struct collect *c;
    uv_loop_t loop;
    uv_timer_t deadline, last_look;
    uv_signal_t interrupt, terminate;
    struct source *source;
    bool stopping, progress, armed;
    int64_t for_ns;
};

static void close_handles(struct state *st)
{
    uv_close((uv_handle_t *)&st->deadline, NULL);
    uv_close((uv_handle_t *)&st->last_look, NULL);
    uv_close((uv_handle_t *)&st->interrupt, NULL);
    uv_close((uv_handle_t *)&st->terminate, NULL);
}

static void stop(struct state *st)
{
    if (st->stopping)
        return;
    st->stopping = true;
    uv_stop(&st->loop);
}

void collect_wish(struct collect *c, const struct wishes *w)
{
    struct state *st = c->state;
    const struct source_ops *ops = st->source ? st->source->ops : NULL;
    struct wishes *to = ops && ops->wishes ? ops->wishes(st->source) : NULL;
    int64_t now_ns = (int64_t)uv_hrtime();
    if (!to)
        return;
    if (w->tasks.until_ns > now_ns)
        to->tasks = w->tasks;
    if (w->fds.until_ns > now_ns)
        to->fds = w->fds;
    if (w->fd_stacks_until_ns > to->fd_stacks_until_ns)
        to->fd_stacks_until_ns = w->fd_stacks_until_ns;
    if (w->handles_until_ns > to->handles_until_ns)
        to->handles_until_ns = w->handles_until_ns;
    if (w->thread_checks_until_ns > to->thread_checks_until_ns)
        to->thread_checks_until_ns = w->thread_checks_until_ns;
    if (w->gc_walk_until_ns > to->gc_walk_until_ns)
        to->gc_walk_until_ns = w->gc_walk_until_ns;
}

void collect_look(struct collect *c)
{
    struct state *st = c->state;
    if (!st->stopping && st->source && st->source->ops->resample)
        st->source->ops->resample(st->source);
}

void collect_stop(struct collect *c)
{
    stop(c->state);
}

static void on_last_look(uv_timer_t *timer)
{
    stop(timer->data);
}

// The newest picture ends the window; a source that cannot give one now has given its last already.
static void on_deadline(uv_timer_t *timer)
{
    struct state *st = timer->data;
    if (!st->source->ops->resample) {
        stop(st);
        return;
    }
    uv_timer_start(&st->last_look, on_last_look, 300, 0);
    st->source->ops->resample(st->source);
}

static void arm(struct state *st)
{
    bool live = st->c->opts->target != TARGET_RECORDING;
    if (!live || st->for_ns == FOREVER)
        return;
    uv_update_time(&st->loop); // a cached time would end the window early
    uv_timer_start(&st->deadline, on_deadline, (uint64_t)(st->for_ns / MS) + SLACK_MS, 0);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    struct state *st = signal->data;
    st->c->interrupted = true;
    stop(st);
}

// Not among the lines of our own, or of the COMMAND that we started.
static bool wants_progress(const struct collect *c)
{
    const char *term = getenv("TERM");
    bool lines = c->prints || c->opts->target == TARGET_COMMAND;
    return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 &&
           !(lines && isatty(STDOUT_FILENO));
}

static void show_progress(struct state *st, const struct snap *s)
{
    if (!st->progress)
        return;
    int open = 0;
    for (int i = 0; i < s->nfindings; i++)
        open += s->findings[i].open;
    fprintf(stderr, "\r\033[K%.1f s", (double)s->now_ns / 1e9);
    if (st->for_ns != FOREVER)
        fprintf(stderr, " of %.1f s", (double)st->for_ns / 1e9);
    fprintf(stderr, ", %d loop%s, %d finding%s, %d open", s->nloops, s->nloops == 1 ? "" : "s",
            s->nfindings, s->nfindings == 1 ? "" : "s", open);
}

static void end_progress(struct state *st)
{
    if (st->progress)
        fputs("\r\033[K", stderr);
}

// A glob that matches nothing is known at the first scan. (With --all, loops are only learnt by and by.)
static bool may_lack_match(enum target_kind kind)
{
    return kind == TARGET_NAME || kind == TARGET_CGROUP || kind == TARGET_UNIT;
}

static void no_match(struct state *st, const struct snap *s)
{
    struct error *err = &st->c->err;
    error_set(err, STATUS_NO_ATTACH, ESRCH, "nothing matches %.200s", s->source ? s->source : "");
    error_hint(err, "loopscope ps lists what can be watched");
    stop(st);
}

static void look_at(struct collect *c, const struct snap *s)
{
    for (int i = 0; i < s->nloops; i++) {
        c->saw_loop = true;
        if (s->loops[i].judged && s->loops[i].judged_ns > c->judged_ns)
            c->judged_ns = s->loops[i].judged_ns;
    }
    for (int i = 0; i < s->nevents; i++)
        if (s->events[i].kind == EVENT_ATTACHED)
            c->attached = true;
}

// What a command's table needs beyond what is always known.
static void wish(struct state *st)
{
    const struct source_ops *ops = st->source->ops;
    struct wishes *w = ops->wishes ? ops->wishes(st->source) : NULL;
    const struct opts *o = st->c->opts;
    if (!w)
        return;
    w->tasks = (struct wish_rows){.until_ns = INT64_MAX,
                                  .count = WISH_ROWS_MAX,
                                  .state = -1,
                                  .flags = o->orphans ? TASKF_ORPHANED : 0};
    w->fds = (struct wish_rows){.until_ns = INT64_MAX, .count = WISH_ROWS_MAX, .state = -1};
    if (o->fd_stacks)
        w->fd_stacks_until_ns = INT64_MAX;
    if (o->handles)
        w->handles_until_ns = INT64_MAX;
    if (o->thread_checks)
        w->thread_checks_until_ns = INT64_MAX;
    if (o->gc_walk)
        w->gc_walk_until_ns = INT64_MAX;
}

// A client's wish has taken the place of the command's own: when it expires, that comes back.
static void wish_again(struct state *st)
{
    const struct source_ops *ops = st->source->ops;
    const struct wishes *w = ops->wishes ? ops->wishes(st->source) : NULL;
    int64_t now_ns = (int64_t)uv_hrtime();
    if (w && (w->tasks.until_ns < now_ns || w->fds.until_ns < now_ns))
        wish(st);
}

static void on_snapshot(void *arg, struct snap *s)
{
    struct state *st = arg;
    struct collect *c = st->c;
    if (st->stopping)
        return;
    look_at(c, s);
    wish_again(st);
    if (c->attached && !st->armed) {
        st->armed = true;
        arm(st);
    }
    struct snap *before = c->last;
    c->last = snap_ref(s);
    snap_unref(before);
    if (c->keep_history)
        history_add(c->history, s);
    if (c->snapshot)
        c->snapshot(c->arg, s);
    show_progress(st, s);
    if (s->nprocesses == 0 && !c->waits_for_match && may_lack_match(c->opts->target) && !before)
        no_match(st, s);
    bool played = c->opts->target == TARGET_RECORDING && st->for_ns != FOREVER &&
                  c->opts->for_ns != OPT_UNSET && s->now_ns >= st->for_ns;
    if (played || uv_is_active((uv_handle_t *)&st->last_look))
        stop(st);
}

static void on_end(void *arg, const struct error *err)
{
    struct state *st = arg;
    struct collect *c = st->c;
    c->ended = true;
    if (!err && c->opts->target == TARGET_RECORDING && c->played) {
        c->played(c->arg);
        return;
    }
    if (err)
        c->err = *err;
    stop(st);
}

static void start_signal(struct state *st, uv_signal_t *handle, int number)
{
    uv_signal_init(&st->loop, handle);
    handle->data = st;
    uv_signal_start(handle, on_signal, number);
}

static int check_descriptors(struct error *err)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= MIN_FDS)
        return 0;
    l.rlim_cur = l.rlim_max < MIN_FDS ? l.rlim_max : MIN_FDS;
    if (l.rlim_cur == MIN_FDS && setrlimit(RLIMIT_NOFILE, &l) == 0)
        return 0;
    error_set(err, STATUS_INTERNAL, EMFILE, "%llu descriptors are too few",
              (unsigned long long)l.rlim_cur);
    error_hint(err, "ulimit -n %d or more", MIN_FDS);
    return -EMFILE;
}

static int start(struct state *st)
{
    int rc = check_descriptors(&st->c->err);
    if (rc < 0)
        return rc;
    rc = uv_loop_init(&st->loop);
    if (rc < 0)
        return error_set(&st->c->err, STATUS_INTERNAL, -rc, "cannot make an event loop: %s",
                         uv_strerror(rc));
    uv_timer_init(&st->loop, &st->deadline);
    uv_timer_init(&st->loop, &st->last_look);
    st->deadline.data = st->last_look.data = st;
    start_signal(st, &st->interrupt, SIGINT);
    start_signal(st, &st->terminate, SIGTERM);
    return 0;
}

static void finish(struct state *st)
{
    close_handles(st);
    while (uv_run(&st->loop, UV_RUN_DEFAULT) != 0)
        ;
    uv_loop_close(&st->loop);
}

static int run(struct state *st)
{
    static const struct source_callbacks callbacks = {on_snapshot, on_end};
    struct collect *c = st->c;
    int rc = c->opening ? c->opening(c->arg, &c->err) : 0;
    if (rc < 0)
        return rc;
    rc = source_open(&st->source, &st->loop, c->opts, &callbacks, st, &c->err);
    if (rc < 0)
        return rc;
    wish(st);
    arm(st);
    while (!st->stopping)
        if (uv_run(&st->loop, UV_RUN_DEFAULT) == 0)
            break;
    end_progress(st);
    st->stopping = true;
    st->source->ops->close(st->source);
    return c->err.text[0] && !c->last ? -EIO : 0;
}

int collect_run(struct collect *c)
{
    struct state *st = calloc(1, sizeof(*st));
    if (!st)
        abort();
    st->c = c;
    c->state = st;
    c->loop = &st->loop;
    st->for_ns = c->opts->for_ns != OPT_UNSET ? c->opts->for_ns : c->for_ns;
    st->progress = wants_progress(c);
    if (c->keep_history)
        c->history = c->for_ns == FOREVER ? history_new_recent() : history_new();
    int rc = start(st);
    if (rc == 0) {
        rc = run(st);
        if (c->closing)
            c->closing(c->arg);
        finish(st);
    }
    free(st);
    c->state = NULL;
    return rc;
}

void collect_finish(struct collect *c)
{
    snap_unref(c->last);
    history_free(c->history);
    c->last = NULL;
    c->history = NULL;
}

enum status collect_status(const struct collect *c)
{
    return c->saw_loop ? STATUS_CLEAN : STATUS_TOO_EARLY;
}
