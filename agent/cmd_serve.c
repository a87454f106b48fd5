#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "collect.h"
#include "serve/http.h"

struct serving {
    struct collect collect;
    struct http *http;
};

static int on_opening(void *arg, struct error *err)
{
    struct serving *s = arg;
    const char *where = s->collect.opts->listen ? s->collect.opts->listen : "127.0.0.1:9464";
    int rc = http_open(&s->http, s->collect.loop, where, err);
    if (rc == 0 && isatty(STDERR_FILENO))
        fprintf(stderr, "serving /metrics on %s\n", where);
    return rc;
}

static void on_snapshot(void *arg, struct snap *snap)
{
    struct serving *s = arg;
    http_show(s->http, snap, s->collect.history);
}

static void on_closing(void *arg)
{
    struct serving *s = arg;
    http_close(s->http);
}

int cmd_serve(const struct opts *opts)
{
    struct serving s = {.collect = {.opts = opts,
                                    .for_ns = FOREVER,
                                    .waits_for_match = true,
                                    .keep_history = true,
                                    .opening = on_opening,
                                    .snapshot = on_snapshot,
                                    .closing = on_closing,
                                    .arg = &s}};
    int status = STATUS_CLEAN;
    if (collect_run(&s.collect) < 0 || s.collect.err.text[0])
        status = collect_failed(&s.collect);
    collect_finish(&s.collect);
    return status;
}
