// Findings as they open and close: one line each, flushed each, so that a pipe sees them at once.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "collect.h"
#include "filter.h"
#include "hook.h"

struct watch {
    struct collect collect;
    struct export_opts export;
    struct hook *hook; // --exec; NULL none
    bool told_waiting;
};

static bool ignored(const struct watch *w, const struct snap *s, const struct snap_event *e)
{
    const struct finding *f = find_finding(s, e->finding);
    return f && finding_ignored(w->collect.opts, f);
}

static void run_hook(struct watch *w, const struct snap *s, const struct snap_event *e)
{
    char *line = NULL;
    size_t size;
    FILE *f = open_memstream(&line, &size);
    if (!f)
        abort();
    export_event_json(s, e, f);
    fclose(f);
    hook_run(w->hook, line, size); // takes line
}

static void print_event(struct watch *w, const struct snap *s, const struct snap_event *e)
{
    if (w->collect.opts->json)
        export_event_json(s, e, stdout);
    else
        export_event_text(s, e, &w->export, stdout);
    if (fflush(stdout) != 0)
        collect_stop(&w->collect); // the reader has gone
    if (w->hook && e->kind == EVENT_OPEN)
        run_hook(w, s, e);
}

static void say_waiting(struct watch *w, const struct snap *s)
{
    if (w->told_waiting || s->nprocesses > 0 || !isatty(STDERR_FILENO))
        return;
    w->told_waiting = true;
    fprintf(stderr, "waiting for a process that matches %s\n", s->source ? s->source : "");
}

static int on_opening(void *arg, struct error *err)
{
    struct watch *w = arg;
    const char *command = w->collect.opts->exec;
    return command ? hook_open(&w->hook, w->collect.loop, command, err) : 0;
}

static void on_snapshot(void *arg, struct snap *s)
{
    struct watch *w = arg;
    say_waiting(w, s);
    for (int i = 0; i < s->nevents; i++)
        if (!ignored(w, s, &s->events[i]))
            print_event(w, s, &s->events[i]);
}

static void on_stop(void *arg)
{
    struct watch *w = arg;
    hook_close(w->hook);
}

int cmd_watch(const struct opts *opts)
{
    struct watch w = {.export = export_opts_of(opts, PART_ALL),
                      .collect = {.opts = opts,
                                  .for_ns = FOREVER,
                                  .waits_for_match = true,
                                  .prints = true,
                                  .opening = on_opening,
                                  .snapshot = on_snapshot,
                                  .closing = on_stop,
                                  .arg = &w}};
    int rc = collect_run(&w.collect);
    int status = STATUS_CLEAN;
    if (rc < 0 || w.collect.err.text[0])
        status = collect_failed(&w.collect);
    else if (!w.collect.attached && !w.collect.interrupted)
        status = STATUS_TOO_EARLY;
    collect_finish(&w.collect);
    return status;
}
