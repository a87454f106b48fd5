// Watches for a while and prints the findings; the exit status is what a pipeline reads.
#include <string.h>

#include "cli.h"
#include "collect.h"
#include "filter.h"
#include "output.h"

#define SECOND       1000000000LL
#define JUDGED_LEAST (2 * SECOND)

// self-degraded speaks of us, never of the target.
static bool fails(const struct opts *opts, const struct finding *f)
{
    return (int)f->severity >= opts->fail_on && strcmp(f->rule, "self-degraded") != 0;
}

static int status_of(const struct opts *opts, const struct collect *c, const struct snap *s)
{
    for (int i = 0; i < s->nfindings; i++)
        if (fails(opts, &s->findings[i]))
            return STATUS_FINDINGS;
    return c->judged_ns >= JUDGED_LEAST ? STATUS_CLEAN : STATUS_TOO_EARLY;
}

static bool in_baseline(const void *arg, const struct finding *f)
{
    return find_same(arg, f) != NULL;
}

static void say_too_early(const struct collect *c)
{
    struct error err = {0};
    if (!c->saw_loop)
        error_set(&err, STATUS_TOO_EARLY, 0, "too early to tell: no event loop was seen");
    else
        error_set(&err, STATUS_TOO_EARLY, 0, "too early to tell: judged for %.1f s, 2 s are needed",
                  (double)c->judged_ns / 1e9);
    if (c->ended)
        error_hint(&err, "the target ended first");
    cli_error(&err);
}

static int print(const struct opts *opts, const struct collect *c, const struct snap *s)
{
    struct export_opts o = export_opts_of(opts, PART_PROCESSES | PART_LOOPS | PART_FINDINGS);
    o.history = c->history;
    return output_snapshot(opts, s, &o);
}

static int judge(const struct opts *opts, const struct collect *c, const struct snap *baseline)
{
    struct filtered wanted, fresh = {0};
    filter_ignored(&wanted, c->last, opts);
    const struct snap *s = &wanted.snap;
    if (baseline) {
        filter_findings(&fresh, s, in_baseline, baseline);
        s = &fresh.snap;
    }
    int status = status_of(opts, c, s);
    int rc = print(opts, c, s);
    if (status == STATUS_TOO_EARLY)
        say_too_early(c);
    filtered_finish(&fresh);
    filtered_finish(&wanted);
    return rc ? rc : status;
}

// The findings at the end of a recording, to compare with.
static int read_baseline(struct collect *c, struct opts *opts, const char *path)
{
    *opts = opts_default();
    opts->target = TARGET_RECORDING;
    opts->text = path;
    *c = (struct collect){.opts = opts, .for_ns = FOREVER};
    return collect_run(c) < 0 || !c->last ? collect_failed(c) : 0;
}

static int watch_and_judge(const struct opts *opts, struct collect *c, const struct snap *baseline)
{
    if (collect_run(c) < 0)
        return collect_failed(c);
    bool refused = c->err.status == STATUS_NO_ATTACH && !c->attached;
    if (refused || (!c->last && c->err.text[0]))
        return collect_failed(c);
    if (c->last)
        return judge(opts, c, baseline);
    say_too_early(c);
    return STATUS_TOO_EARLY;
}

int cmd_check(const struct opts *opts)
{
    struct collect c = {.opts = opts, .for_ns = 10 * SECOND, .keep_history = true};
    struct collect baseline = {0};
    struct opts baseline_opts;
    int status = 0;
    if (opts->baseline)
        status = read_baseline(&baseline, &baseline_opts, opts->baseline);
    if (status == 0)
        status = watch_and_judge(opts, &c, baseline.last);
    collect_finish(&c);
    collect_finish(&baseline);
    return status;
}
