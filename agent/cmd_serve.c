#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"
#include "collect.h"
#include "serve/http.h"
#include "serve/socket.h"

#define LOOK_APART_NS 100000000 // a client cannot make the agent look more often

struct serving {
    struct collect collect;
    struct http *http;
    struct socket_server *socket;
    int64_t looked_ns;
};

static void on_wish(void *arg, const struct wishes *w)
{
    struct serving *s = arg;
    collect_wish(&s->collect, w);
}

static void on_look(void *arg)
{
    struct serving *s = arg;
    int64_t now_ns = (int64_t)uv_hrtime();
    if (now_ns - s->looked_ns < LOOK_APART_NS)
        return;
    s->looked_ns = now_ns;
    collect_look(&s->collect);
}

static void tell(const char *what, const char *where)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "serving %s on %s\n", what, where);
}

static int open_http(struct serving *s, const char *where, struct error *err)
{
    int rc = http_open(&s->http, s->collect.loop, where, err);
    if (rc == 0)
        tell("/metrics", where);
    return rc;
}

static int open_socket(struct serving *s, struct error *err)
{
    const struct opts *o = s->collect.opts;
    const struct socket_hooks hooks = {on_wish, on_look, s};
    int rc =
        socket_open(&s->socket, s->collect.loop, o->socket, o->allowed, o->nallowed, &hooks, err);
    if (rc == 0)
        tell("dashboards", o->socket);
    return rc;
}

// Either or both; /metrics on loopback when nothing is told.
static int on_opening(void *arg, struct error *err)
{
    struct serving *s = arg;
    const struct opts *o = s->collect.opts;
    int rc = o->socket ? open_socket(s, err) : 0;
    if (rc == 0 && (o->listen || !o->socket))
        rc = open_http(s, o->listen ? o->listen : "127.0.0.1:9464", err);
    return rc;
}

static void on_snapshot(void *arg, struct snap *snap)
{
    struct serving *s = arg;
    if (s->http)
        http_show(s->http, snap, s->collect.history);
    if (s->socket)
        socket_show(s->socket, snap);
}

// Who asks for a recording's figures asks after its last picture has come.
static void on_played(void *arg)
{
    struct serving *s = arg;
    if (isatty(STDERR_FILENO))
        fputs("the recording is at its end: its last picture is served until ^C\n", stderr);
    if (s->http)
        http_ended(s->http);
}

static void on_closing(void *arg)
{
    struct serving *s = arg;
    http_close(s->http);
    socket_close(s->socket, s->collect.interrupted ? NULL : s->collect.err.text);
}

int cmd_serve(const struct opts *opts)
{
    struct serving s = {.collect = {.opts = opts,
                                    .for_ns = FOREVER,
                                    .waits_for_match = true,
                                    .prints = true,
                                    .keep_history = true,
                                    .opening = on_opening,
                                    .snapshot = on_snapshot,
                                    .closing = on_closing,
                                    .played = on_played,
                                    .arg = &s}};
    int status = STATUS_CLEAN;
    if (collect_run(&s.collect) < 0 || s.collect.err.text[0])
        status = collect_failed(&s.collect);
    collect_finish(&s.collect);
    return status;
}
