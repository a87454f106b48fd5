#include <errno.h>

#include "cli.h"
#include "collect.h"
#include "filter.h"
#include "output.h"

static int report(const struct opts *opts, struct collect *c)
{
    struct filtered wanted;
    if (collect_run(c) < 0 || !c->last)
        return collect_failed(c);
    filter_ignored(&wanted, c->last, opts);
    struct export_opts o = export_opts_of(opts, PART_ALL);
    o.history = c->history;
    int rc = output_snapshot(opts, &wanted.snap, &o);
    filtered_finish(&wanted);
    if (rc == 0 && c->err.text[0])
        rc = collect_failed(c);
    return rc ? rc : (int)collect_status(c);
}

int cmd_report(const struct opts *opts)
{
    if (opts->json_schema) {
        export_schema(stdout);
        return STATUS_CLEAN;
    }
    if (opts->target == TARGET_NONE) {
        struct error e;
        error_set(&e, STATUS_USAGE, EINVAL, "report needs a TARGET");
        error_hint(&e, "a PID, --name GLOB, --all, --cgroup PATH, --unit NAME, a recording, or "
                       "-- COMMAND");
        cli_error(&e);
        return STATUS_USAGE;
    }
    struct collect c = {.opts = opts, .for_ns = 10000000000LL, .keep_history = true};
    int rc = report(opts, &c);
    collect_finish(&c);
    return rc;
}
