// The dashboard on a source that needs no kernel: synthetic pictures, a second each (or as --every says).
// For the end-to-end tests of the terminal, which must see the same screens everywhere.
//
//   tui_demo [--every MS] [--end-after N] [--once] [--plain] [--ascii] [--choose] [--recording]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../agent/source.h"
#include "../../../tui/tui.h"
#include "../fixture.h"

static int every_ms = 1000, end_after = -1;

struct fake {
    struct source source;
    uv_timer_t timer;
    struct wishes wishes;
    int tick;
};

static void give(struct fake *f, int tick, bool recorded)
{
    struct snap *s = fixture_rich(tick);
    s->recorded = recorded;
    f->source.callbacks.snapshot(f->source.arg, s);
    snap_unref(s);
}

static void on_timer(uv_timer_t *timer)
{
    struct fake *f = timer->data;
    if (end_after >= 0 && f->tick >= end_after) {
        uv_timer_stop(timer);
        f->source.callbacks.end(f->source.arg, NULL);
        return;
    }
    give(f, f->tick++, false);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void fake_close(struct source *s)
{
    struct fake *f = (struct fake *)s;
    uv_close((uv_handle_t *)&f->timer, on_closed);
}

static struct wishes *fake_wishes(struct source *s)
{
    return &((struct fake *)s)->wishes;
}

static void fake_resample(struct source *s)
{
    struct fake *f = (struct fake *)s;
    give(f, f->tick++, false);
}

// A recording of ten pictures, a second apart.
static int64_t time_of(int tick)
{
    struct snap *s = fixture_rich(tick);
    int64_t now = s->now_ns;
    snap_unref(s);
    return now;
}

static int64_t fake_length(struct source *s)
{
    (void)s;
    return time_of(9);
}

static int fake_seek(struct source *s, int64_t at_ns)
{
    int tick = 9;
    while (tick > 0 && time_of(tick) > at_ns)
        tick--;
    give((struct fake *)s, tick, true);
    return 0;
}

static const struct source_ops live = {
    .close = fake_close, .wishes = fake_wishes, .resample = fake_resample};
static const struct source_ops recording = {
    .close = fake_close, .seek = fake_seek, .length_ns = fake_length};

static struct fake *open_fake(struct source **ret, uv_loop_t *loop, const struct source_ops *ops,
                              const struct source_callbacks *callbacks, void *arg)
{
    struct fake *f = calloc(1, sizeof(*f));
    if (!f)
        abort();
    f->source = (struct source){ops, loop, *callbacks, arg};
    f->timer.data = f;
    uv_timer_init(loop, &f->timer);
    *ret = &f->source;
    return f;
}

int source_open(struct source **ret, uv_loop_t *loop, const struct opts *opts,
                const struct source_callbacks *callbacks, void *arg, struct error *err)
{
    if (opts->target == TARGET_PID && opts->pid == 1)
        return error_set(err, STATUS_NO_ATTACH, 3, "process 1 is not to be watched");
    struct fake *f = open_fake(ret, loop, &live, callbacks, arg);
    uv_timer_start(&f->timer, on_timer, 0, (uint64_t)every_ms);
    return 0;
}

int source_open_recording(struct source **ret, uv_loop_t *loop, const struct opts *opts,
                          double rate, const struct source_callbacks *callbacks, void *arg,
                          struct error *err)
{
    (void)opts;
    (void)rate;
    (void)err;
    open_fake(ret, loop, &recording, callbacks, arg);
    return 0;
}

int main(int argc, char **argv)
{
    struct opts opts = {.target = TARGET_PID,
                        .pid = 4711,
                        .for_ns = OPT_UNSET,
                        .delay_ns = OPT_UNSET,
                        .time_scale = 1,
                        .threshold_ns = 100000000LL};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--every") == 0 && i + 1 < argc)
            every_ms = atoi(argv[++i]);
        else if (strcmp(argv[i], "--end-after") == 0 && i + 1 < argc)
            end_after = atoi(argv[++i]);
        else if (strcmp(argv[i], "--once") == 0)
            opts.once = true;
        else if (strcmp(argv[i], "--plain") == 0)
            opts.plain = true;
        else if (strcmp(argv[i], "--ascii") == 0)
            opts.ascii = true;
        else if (strcmp(argv[i], "--choose") == 0)
            opts.target = TARGET_NONE;
        else if (strcmp(argv[i], "--recording") == 0)
            opts.target = TARGET_RECORDING, opts.text = "demo.lsr";
        else
            return 2;
    }
    return tui_run(&opts);
}
