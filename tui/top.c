// The live dashboard's loop: pictures, keys, signals and time come in; frames go out.
//
// A frame is drawn at once when something happened, but at most ten a second; a quiet screen costs
// nothing. While a loop is blocked its age counts on, four times a second.
#include "top.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../agent/timer.h"
#include "plain.h"
#include "settings.h"
#include "text.h"
#include "tui.h"
#include "view.h"

#define FRAME_MS       100
#define BLOCKED_MS     250
#define IDLE_READS_MAX 100
#define MS             1000000LL

static const int signals[TOP_SIGNALS] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP, SIGCONT};

static void draw(struct top *t)
{
    struct ui *ui = &t->ui;
    int rows, cols;
    term_size(t->term, &rows, &cols);
    ui_resize(ui, rows, cols);
    canvas_resize(t->canvas, rows, cols);
    t->canvas->ascii = ui->ascii;
    t->canvas->braille = ui->braille;
    term_mono(t->term, ui->mono);
    ui_prepare(ui);
    frame_draw(ui, t->canvas);
    term_draw(t->term, t->canvas);
    t->last_frame_ms = timer_now_ms();
}

static void on_frame(uv_timer_t *timer)
{
    draw(timer->data);
}

void top_dirty(struct top *t)
{
    int64_t since = (int64_t)(timer_now_ms() - t->last_frame_ms);
    if (t->leaving || uv_is_active((uv_handle_t *)&t->frame))
        return;
    if (since >= FRAME_MS)
        uv_timer_start(&t->frame, on_frame, 0, 0);
    else
        timer_after(&t->frame, on_frame, (FRAME_MS - since) * MS);
}

void top_leave(struct top *t)
{
    t->leaving = true;
    uv_stop(&t->loop);
}

static bool is_blocked(const struct snap *s)
{
    for (int i = 0; s && i < s->nloops; i++)
        if (s->loops[i].state == LOOP_BLOCKED || s->loops[i].state == LOOP_STARVED)
            return true;
    return false;
}

static void on_tick(uv_timer_t *timer)
{
    struct top *t = timer->data;
    struct ui *ui = &t->ui;
    if (ui->recorded && ui->playing) {
        ui_seek(ui, 1);
        top_requests(t);
        top_dirty(t);
    } else if (!ui->recorded && !ui->ended && t->source && t->source->ops->resample) {
        t->source->ops->resample(t->source);
    }
}

// Between the source's own pictures: while something is blocked, while a recording plays, or when the
// user wants them faster than the source gives them.
static void set_tick(struct top *t)
{
    const struct ui *ui = &t->ui;
    int64_t own = t->opts.delay_ns > 0 ? t->opts.delay_ns : 1000 * MS, period = 0;
    if (ui->recorded && ui->playing)
        period = ui->delay_ns;
    else if (ui->ended)
        period = 0;
    else if (!ui->recorded && !ui->paused && is_blocked(ui->snap))
        period = BLOCKED_MS * MS;
    else if (!ui->recorded && ui->delay_ns < own)
        period = ui->delay_ns;
    uint64_t ms = (uint64_t)(period / MS);
    if (ms == 0)
        uv_timer_stop(&t->tick);
    else if (!uv_is_active((uv_handle_t *)&t->tick) || uv_timer_get_repeat(&t->tick) != ms)
        uv_timer_start(&t->tick, on_tick, ms, ms);
}

static void wish(struct top *t)
{
    struct wishes *w = NULL;
    if (t->source && t->source->ops->wishes)
        w = t->source->ops->wishes(t->source);
    if (w)
        ui_wishes(&t->ui, (int64_t)uv_hrtime(), w);
}

static bool due(const struct top *t, const struct snap *s)
{
    uint64_t since = timer_now_ms() - t->last_frame_ms;
    return s->nevents > 0 || is_blocked(s) || (int64_t)(since + FRAME_MS) * MS >= t->ui.delay_ns;
}

static void on_snapshot(void *arg, struct snap *s)
{
    struct top *t = arg;
    ui_snapshot(&t->ui, s);
    top_record(t, s);
    if (t->source && t->source->ops->length_ns)
        t->ui.length_ns = t->source->ops->length_ns(t->source);
    wish(t);
    top_requests(t); // a step through a recording may need another
    set_tick(t);
    if (t->ui.recorded || due(t, s))
        top_dirty(t);
}

static void on_end(void *arg, const struct error *err)
{
    struct top *t = arg;
    ui_end(&t->ui, err);
    set_tick(t);
    top_dirty(t);
}

int top_open_source(struct top *t, struct error *err)
{
    static const struct source_callbacks callbacks = {on_snapshot, on_end};
    if (t->opts.target == TARGET_RECORDING)
        return source_open_recording(&t->source, &t->loop, &t->opts, -1, &callbacks, t, err);
    return source_open(&t->source, &t->loop, &t->opts, &callbacks, t, err);
}

void top_close_source(struct top *t)
{
    if (t->source)
        t->source->ops->close(t->source);
    t->source = NULL;
}

static void handle(struct top *t, const struct term_event *e)
{
    ui_prepare(&t->ui);
    if (e->key != K_NONE)
        ui_key(&t->ui, e->key);
    else if (t->ui.overlay == OVERLAY_NONE && t->ui.input.kind == INPUT_NONE)
        ui_click(&t->ui, canvas_hit(t->canvas, e->y, e->x));
    top_requests(t);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    struct top *t = poll->data;
    struct term_event e;
    int n = 0;
    (void)events;
    while (!t->leaving && term_read(t->term, &e)) {
        handle(t, &e);
        n++;
    }
    // A terminal that is gone is readable for ever and never gives anything.
    t->idle_reads = n > 0 ? 0 : t->idle_reads + 1;
    if (status < 0 || t->idle_reads > IDLE_READS_MAX) {
        t->died_of = SIGHUP;
        top_leave(t);
        return;
    }
    wish(t);
    set_tick(t);
    if (n > 0)
        top_dirty(t);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct top *t = handle->data;
    switch (number) {
    case SIGWINCH: term_resized(t->term); break;
    case SIGCONT: term_redraw(t->term); break;
    case SIGTSTP: top_suspend(t); break;
    case SIGINT: top_leave(t); break; // as ^C: status 0
    default:
        t->died_of = number;
        top_leave(t);
        return;
    }
    top_dirty(t);
}

static void on_deadline(uv_timer_t *timer)
{
    top_leave(timer->data);
}

static void start_timer(struct top *t, uv_timer_t *timer)
{
    uv_timer_init(&t->loop, timer);
    timer->data = t;
}

static int start_handles(struct top *t, struct error *err)
{
    int rc = uv_poll_init(&t->loop, &t->input, term_fd(t->term));
    if (rc < 0)
        return error_set(err, STATUS_INTERNAL, -rc, "cannot wait for keys: %s", uv_strerror(rc));
    t->input.data = t;
    uv_poll_start(&t->input, UV_READABLE | UV_DISCONNECT, on_input);
    for (int i = 0; i < TOP_SIGNALS; i++) {
        uv_signal_init(&t->loop, &t->signals[i]);
        t->signals[i].data = t;
        uv_signal_start(&t->signals[i], on_signal, signals[i]);
    }
    if (t->opts.for_ns != OPT_UNSET)
        uv_timer_start(&t->deadline, on_deadline, (uint64_t)(t->opts.for_ns / MS), 0);
    return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void describe_source(struct top *t)
{
    const struct opts *o = &t->opts;
    char *to = t->ui.source;
    size_t size = sizeof(t->ui.source);
    switch (o->target) {
    case TARGET_PID: snprintf(to, size, "%d", o->pid); break;
    case TARGET_NAME: snprintf(to, size, "--name %s", o->text ? o->text : ""); break;
    case TARGET_COMMAND: snprintf(to, size, "-- %s", o->argv ? text_base(o->argv[0]) : ""); break;
    case TARGET_CGROUP:
    case TARGET_UNIT: snprintf(to, size, "%s", o->text ? o->text : ""); break;
    case TARGET_RECORDING: snprintf(to, size, "%s", text_base(o->text)); break;
    default: break;
    }
}

static void start_ui(struct top *t, const struct opts *opts)
{
    struct ui *ui = &t->ui;
    ui_init(ui);
    t->opts = *opts;
    settings_load(ui);
    if (opts->delay_ns > 0)
        ui->delay_ns = opts->delay_ns;
    if (opts->ascii || plain_needs_ascii())
        ui->ascii = true;
    ui->recorded = opts->target == TARGET_RECORDING;
    if (opts->target == TARGET_NONE) {
        ui->choosing = true;
        ui->nav.view = VIEW_CHOOSE;
        t->opts.target = TARGET_ALL;
    }
    ui->started = opts->target == TARGET_COMMAND;
    describe_source(t);
}

// A recording opens at its end: all that was found is there; [ goes back.
static void go_to_end(struct top *t)
{
    if (!t->ui.recorded || !t->source->ops->seek)
        return;
    if (t->source->ops->length_ns)
        t->ui.length_ns = t->source->ops->length_ns(t->source);
    t->source->ops->seek(t->source, t->ui.length_ns >= 0 ? t->ui.length_ns : 0);
}

static int run(struct top *t, struct error *err)
{
    int rc = top_open_source(t, err);
    if (rc < 0)
        return rc;
    rc = term_open(&t->term, t->opts.color, err);
    if (rc < 0)
        return rc;
    t->canvas = canvas_new(1, 1, t->ui.ascii);
    rc = start_handles(t, err);
    if (rc < 0)
        return rc;
    draw(t);
    go_to_end(t);
    while (!t->leaving && uv_run(&t->loop, UV_RUN_DEFAULT) != 0)
        ;
    return 0;
}

static void finish(struct top *t)
{
    term_close(t->term);
    t->term = NULL;
    top_stop_recording(t);
    top_close_source(t);
    uv_walk(&t->loop, close_handle, NULL);
    while (uv_run(&t->loop, UV_RUN_DEFAULT) != 0)
        ;
    uv_loop_close(&t->loop);
    settings_save(&t->ui); // failing, the state stays as it was: nobody asked for it
    canvas_free(t->canvas);
}

static int status_of(const struct top *t, const struct error *err, int rc)
{
    const struct error *why = rc < 0 ? err : &t->ui.end_error;
    bool failed = rc < 0 || (t->ui.has_end_error && !t->ui.latest);
    if (!failed)
        return STATUS_CLEAN;
    plain_error(why);
    return why->status ? (int)why->status : STATUS_INTERNAL;
}

int tui_run(const struct opts *opts)
{
    const char *name = getenv("TERM");
    if (opts->once || opts->plain || !isatty(STDOUT_FILENO) || !name || !*name ||
        strcmp(name, "dumb") == 0)
        return tui_once(opts);
    struct top *t = calloc(1, sizeof(*t));
    if (!t)
        abort();
    struct error err = {0};
    uv_loop_init(&t->loop);
    start_timer(t, &t->frame);
    start_timer(t, &t->tick);
    start_timer(t, &t->deadline);
    plain_set_locale();
    start_ui(t, opts);
    int rc = run(t, &err);
    finish(t);
    int status = status_of(t, &err, rc), died_of = t->died_of;
    ui_finish(&t->ui);
    free(t);
    if (died_of) { // the parent shall see the true cause
        signal(died_of, SIG_DFL);
        raise(died_of);
    }
    return status;
}
