#include "sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../export/export.h"

#define BACKLOG (1 << 20) // bytes a client may be behind

struct client {
    struct client *next;
    struct sse *sse;
    struct MHD_Connection *connection;
    char *pending;
    size_t n, cap;
    bool suspended, end;
};

struct sse {
    struct client *clients;
    bool ended;
};

struct sse *sse_new(void)
{
    struct sse *s = calloc(1, sizeof(*s));
    if (!s)
        abort();
    return s;
}

static void wake(struct client *c)
{
    if (!c->suspended)
        return;
    c->suspended = false;
    MHD_resume_connection(c->connection);
}

void sse_end(struct sse *s)
{
    s->ended = true;
    for (struct client *c = s->clients; c; c = c->next) {
        c->end = true;
        wake(c);
    }
}

void sse_free(struct sse *s)
{
    free(s);
}

// The library asks for bytes; with none to give, the connection sleeps until sse_send wakes it.
static ssize_t read_some(void *arg, uint64_t at, char *buf, size_t max)
{
    struct client *c = arg;
    (void)at;
    if (c->n == 0 && c->end)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (c->n == 0) {
        c->suspended = true;
        MHD_suspend_connection(c->connection);
        return 0;
    }
    size_t n = c->n < max ? c->n : max;
    memcpy(buf, c->pending, n);
    memmove(c->pending, c->pending + n, c->n - n);
    c->n -= n;
    return (ssize_t)n;
}

static void client_free(void *arg)
{
    struct client *c = arg;
    for (struct client **at = &c->sse->clients; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    free(c->pending);
    free(c);
}

// Who does not read would keep one of the few connections for ever: the library sees the end and frees it,
// and what the kernel still holds for that client is thrown away, not offered any longer.
static void cut_off(struct client *c)
{
    const struct linger at_once = {.l_onoff = 1};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    c->end = true;
    c->n = 0;
    if (!info)
        return;
    setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    shutdown(info->connect_fd, SHUT_RDWR);
}

static void append(struct client *c, const char *text, size_t n)
{
    if (c->end)
        return;
    if (c->n + n > BACKLOG) {
        cut_off(c);
        return;
    }
    if (c->n + n > c->cap) {
        c->cap = (c->n + n) * 2;
        c->pending = realloc(c->pending, c->cap);
        if (!c->pending)
            abort();
    }
    memcpy(c->pending + c->n, text, n);
    c->n += n;
}

enum MHD_Result sse_connect(struct sse *s, struct MHD_Connection *connection)
{
    static const char hello[] = "retry: 2000\n: loopscope\n\n";
    struct client *c = s->ended ? NULL : calloc(1, sizeof(*c));
    if (!c)
        return MHD_NO;
    *c = (struct client){.next = s->clients, .sse = s, .connection = connection};
    append(c, hello, sizeof(hello) - 1);
    struct MHD_Response *r =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, read_some, c, client_free);
    if (!r) {
        free(c->pending);
        free(c);
        return MHD_NO;
    }
    s->clients = c;
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result rc = MHD_queue_response(connection, MHD_HTTP_OK, r);
    MHD_destroy_response(r);
    return rc;
}

static const char *event_name(enum snap_event_kind k)
{
    static const char *const names[] = {"attached", "open", "update", "close", "detached", "lost"};
    return (unsigned)k < sizeof(names) / sizeof(*names) ? names[k] : "message";
}

bool sse_send(struct sse *s, const struct snap *snap)
{
    if (!s->clients || snap->nevents == 0)
        return false;
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        abort();
    for (int i = 0; i < snap->nevents; i++) {
        fprintf(f, "event: %s\ndata: ", event_name(snap->events[i].kind));
        export_event_json(snap, &snap->events[i], f); // one line, ended by \n
        fputc('\n', f);
    }
    fclose(f);
    for (struct client *c = s->clients; c; c = c->next) {
        append(c, text, size);
        wake(c);
    }
    free(text);
    return true;
}
