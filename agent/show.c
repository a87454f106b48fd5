// How commands print: colour, width, one table for all of the one-shot commands.
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "collect.h"

bool color_of(const struct opts *opts, FILE *out)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    if (opts->color != COLOR_AUTO)
        return opts->color == COLOR_ALWAYS;
    if (no_color && *no_color)
        return false;
    return isatty(fileno(out)) && term && strcmp(term, "dumb") != 0;
}

static int width_of(FILE *out)
{
    struct winsize ws;
    if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &ws) == 0 && ws.ws_col >= 40)
        return ws.ws_col;
    return 0;
}

static int state_of(const struct opts *opts)
{
    for (int i = TASK_NEW; opts->state && i <= TASK_CANCELLED; i++)
        if (!strcmp(opts->state, task_state_name((enum task_state)i)))
            return i;
    return -1;
}

struct export_opts export_opts_of(const struct opts *opts, unsigned parts)
{
    return (struct export_opts){.parts = parts,
                                .color = color_of(opts, stdout),
                                .ascii = opts->ascii,
                                .width = width_of(stdout),
                                .tree = opts->tree,
                                .by_site = opts->by_site,
                                .orphans = opts->orphans,
                                .task_state = state_of(opts)};
}

int collect_failed(const struct collect *c)
{
    struct error err = c->err;
    if (!err.text[0])
        error_set(&err, STATUS_TOO_EARLY, 0, "too early to tell: nothing was seen in that time");
    cli_error(&err);
    return err.status ? (int)err.status : STATUS_INTERNAL;
}

int show_parts(const struct opts *opts, unsigned parts, int64_t default_ns)
{
    struct collect c = {.opts = opts, .for_ns = default_ns, .keep_history = true};
    int rc = collect_run(&c);
    if (rc < 0 || !c.last) {
        rc = collect_failed(&c);
        collect_finish(&c);
        return rc;
    }
    struct export_opts o = export_opts_of(opts, parts);
    o.history = c.history;
    if (opts->json)
        export_json(c.last, &o, stdout);
    else if (!c.err.text[0] ||
             c.last->nprocesses > 0) // a table of nothing adds nothing to the error
        export_text(c.last, &o, stdout);
    rc = c.err.text[0] ? collect_failed(&c) : (int)collect_status(&c);
    collect_finish(&c);
    return rc;
}
