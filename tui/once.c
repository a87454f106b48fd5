// tui_once: watches for a while and prints a frame; or, with --plain, a line a change until told to stop.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <uv.h>

#include "../agent/source.h"
#include "plain.h"
#include "tui.h"

#define DEFAULT_FOR_NS 2000000000LL
#define LAST_LOOK_MS   300
#define MS             1000000LL

struct once {
    const struct opts *opts;
    struct opts watched;
    uv_loop_t loop;
    uv_timer_t deadline;
    uv_signal_t interrupt, terminate;
    struct source *source;
    struct ui ui;
    struct error err;
    bool lines; // --plain
    bool attached, looking_last, done, saw_loop;
};

static void stop(struct once *o)
{
    o->done = true;
    uv_stop(&o->loop);
}

static void on_last_look(uv_timer_t *timer)
{
    stop(timer->data);
}

// The window ends with a picture that is fresh, where the source can give one.
static void on_deadline(uv_timer_t *timer)
{
    struct once *o = timer->data;
    if (!o->source->ops->resample) {
        stop(o);
        return;
    }
    o->looking_last = true;
    uv_timer_start(timer, on_last_look, LAST_LOOK_MS, 0);
    o->source->ops->resample(o->source);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    stop(handle->data);
}

// The window counts from the attach, so that it is as long as asked for.
static void arm(struct once *o)
{
    int64_t window = o->opts->for_ns != OPT_UNSET ? o->opts->for_ns : DEFAULT_FOR_NS;
    if (o->opts->target == TARGET_RECORDING || (o->lines && o->opts->for_ns == OPT_UNSET))
        return;
    uv_timer_start(&o->deadline, on_deadline, (uint64_t)(window / MS), 0);
}

static void note_attach(struct once *o, const struct snap *s)
{
    o->saw_loop = o->saw_loop || s->nloops > 0;
    for (int i = 0; i < s->nevents && !o->attached; i++) {
        if (s->events[i].kind == EVENT_ATTACHED) {
            o->attached = true;
            arm(o);
        }
    }
}

static void on_snapshot(void *arg, struct snap *s)
{
    struct once *o = arg;
    if (o->done)
        return;
    if (o->lines)
        plain_changes(o->ui.latest, s, stdout);
    ui_snapshot(&o->ui, s);
    note_attach(o, s);
    if (o->looking_last)
        stop(o);
}

static void on_end(void *arg, const struct error *err)
{
    struct once *o = arg;
    if (err)
        o->err = *err;
    ui_end(&o->ui, err);
    stop(o);
}

static int width_of_output(void)
{
    struct winsize w;
    const char *columns = getenv("COLUMNS");
    int n = columns ? atoi(columns) : 0;
    if (n <= 0 && isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0)
        n = w.ws_col;
    if (n <= 0)
        n = 100;
    return n < 60 ? 60 : n > 400 ? 400 : n;
}

static void watch(uv_loop_t *loop, uv_signal_t *handle, int number, struct once *o)
{
    uv_signal_init(loop, handle);
    handle->data = o;
    uv_signal_start(handle, on_signal, number);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static int run(struct once *o)
{
    static const struct source_callbacks callbacks = {on_snapshot, on_end};
    int rc = source_open(&o->source, &o->loop, &o->watched, &callbacks, o, &o->err);
    if (rc < 0)
        return rc;
    arm(o);
    while (!o->done && uv_run(&o->loop, UV_RUN_DEFAULT) != 0)
        ;
    o->done = true;
    o->source->ops->close(o->source);
    return 0;
}

static int report(struct once *o, int rc)
{
    const struct plain_opts plain = {.width = width_of_output(),
                                     .ascii = o->opts->ascii || plain_needs_ascii(),
                                     .color = plain_wants_color(o->opts->color, stdout)};
    if (rc < 0 || (!o->ui.latest && o->err.text[0])) {
        plain_error(&o->err);
        return o->err.status ? (int)o->err.status : STATUS_INTERNAL;
    }
    if (!o->lines && o->ui.snap)
        plain_frame(&o->ui, &plain, stdout);
    if (fflush(stdout) != 0 && errno != EPIPE) {
        error_set(&o->err, STATUS_INTERNAL, errno, "cannot write to stdout: %s", strerror(errno));
        plain_error(&o->err);
        return STATUS_INTERNAL;
    }
    return o->saw_loop || o->lines ? STATUS_CLEAN : STATUS_TOO_EARLY;
}

int tui_once(const struct opts *opts)
{
    struct once *o = calloc(1, sizeof(*o));
    if (!o)
        abort();
    const char *term = getenv("TERM");
    bool dumb = isatty(STDOUT_FILENO) && (!term || !*term || strcmp(term, "dumb") == 0);
    o->opts = opts;
    o->watched = *opts;
    if (opts->target == TARGET_NONE)
        o->watched.target = TARGET_ALL;
    o->lines = !opts->once && (opts->plain || dumb);
    plain_set_locale();
    ui_init(&o->ui);
    if (opts->delay_ns > 0)
        o->ui.delay_ns = opts->delay_ns;
    uv_loop_init(&o->loop);
    uv_timer_init(&o->loop, &o->deadline);
    o->deadline.data = o;
    watch(&o->loop, &o->interrupt, SIGINT, o);
    watch(&o->loop, &o->terminate, SIGTERM, o);
    int rc = run(o);
    int status = report(o, rc);
    uv_walk(&o->loop, close_handle, NULL);
    while (uv_run(&o->loop, UV_RUN_DEFAULT) != 0)
        ;
    uv_loop_close(&o->loop);
    ui_finish(&o->ui);
    free(o);
    return status;
}
