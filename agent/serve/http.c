#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../export/export.h"
#include "../export/history.h"
#include "../timer.h"
#include "sse.h"

#define MAX_CONNECTIONS 64
#define IDLE_SECONDS    30
#define AT_ONCE_NS      50000000ULL   // of work in one turn of the loop
#define STALE_NS        10000000000LL // no picture for so long: the agent itself is stuck

enum document { PROMETHEUS, OPENMETRICS, REPORT_JSON, REPORT_HTML, DOCUMENTS };

struct http {
    uv_loop_t *loop;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    struct snap *snap;
    const struct history *history;
    struct sse *events;
    struct MHD_Response *documents[DOCUMENTS]; // of this snapshot; NULL: nobody has asked
    uint64_t shown_ns;                         // uv_hrtime of the newest picture
    bool loopback, ended;
    int epoll_fd; // the library's
    int open_handles;
};

// Takes the body, which the library leaves out of an answer to HEAD. NULL: out of memory.
static struct MHD_Response *response_of(const char *type, char *body, size_t size)
{
    struct MHD_Response *r =
        body ? MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE) : NULL;
    if (!r) {
        free(body);
        return NULL;
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    return r;
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type,
                              char *body, size_t size)
{
    struct MHD_Response *r = response_of(type, body, size);
    if (!r)
        return MHD_NO;
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result rc = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return rc;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *text)
{
    return answer(c, status, "text/plain; charset=utf-8", strdup(text), strlen(text));
}

static struct MHD_Response *write_document(struct http *h, const char *name)
{
    const struct export_format *format = export_find(name);
    struct export_opts o = {
        .parts = PART_ALL, .task_state = -1, .history = h->history, .fail_on = SEV_WARNING};
    char *body = NULL;
    size_t size;
    FILE *f = open_memstream(&body, &size);
    if (!f)
        return NULL;
    format->write(h->snap, &o, f);
    fclose(f);
    return response_of(format->media_type, body, size);
}

// Each is written once a snapshot, however often it is asked for.
static enum MHD_Result document(struct http *h, struct MHD_Connection *c, enum document which)
{
    static const char *const formats[DOCUMENTS] = {"prometheus", "openmetrics", "json", "html"};
    struct MHD_Response **r = &h->documents[which];
    if (!h->snap)
        return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "nothing has been seen yet\n");
    if (!*r)
        *r = write_document(h, formats[which]);
    return *r ? MHD_queue_response(c, MHD_HTTP_OK, *r) : MHD_NO;
}

static void forget_documents(struct http *h)
{
    for (int i = 0; i < DOCUMENTS; i++) {
        if (h->documents[i])
            MHD_destroy_response(h->documents[i]); // what is on its way holds it
        h->documents[i] = NULL;
    }
}

// A scraper that can read OpenMetrics names it; all others get the older text format.
static enum MHD_Result metrics(struct http *h, struct MHD_Connection *c)
{
    const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    bool open = accept && strstr(accept, "application/openmetrics-text");
    return document(h, c, open ? OPENMETRICS : PROMETHEUS);
}

static enum MHD_Result healthz(struct http *h, struct MHD_Connection *c)
{
    char body[200];
    uint64_t age = h->shown_ns ? uv_hrtime() - h->shown_ns : 0;
    const char *status = h->ended         ? "ended"
                         : !h->snap       ? "starting"
                         : age > STALE_NS ? "stale"
                                          : "ok";
    int n = snprintf(body, sizeof(body),
                     "{\"status\":\"%s\",\"snapshot_age_ns\":%llu,\"processes\":%d,\"loops\":%d}\n",
                     status, (unsigned long long)age, h->snap ? h->snap->nprocesses : 0,
                     h->snap ? h->snap->nloops : 0);
    bool well = !strcmp(status, "ok") || !strcmp(status, "starting");
    return answer(c, well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, "application/json",
                  strndup(body, (size_t)n), (size_t)n);
}

// An address, or the one name that is nobody's to give. Of a host with or without a port.
static bool is_this_machine(const char *host)
{
    char name[64];
    struct in_addr address;
    const char *bracket = host[0] == '[' ? strchr(host, ']') : NULL;
    size_t n = bracket ? (size_t)(bracket - host) + 1 : strcspn(host, ":");
    if (n >= sizeof(name) || (host[n] && host[n] != ':'))
        return false;
    memcpy(name, host, n);
    name[n] = '\0';
    if (!strcasecmp(name, "localhost") || !strcmp(name, "[::1]"))
        return true;
    return inet_pton(AF_INET, name, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

// A page elsewhere must not read us through a name that it makes resolve to loopback (127.0.0.1.example.org).
static bool host_is_allowed(const struct http *h, struct MHD_Connection *c)
{
    const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    return !h->loopback || !host || is_this_machine(host);
}

static const char index_text[] = "loopscope\n\n"
                                 "/metrics      for Prometheus and OpenTelemetry collectors\n"
                                 "/report.json  the whole picture\n"
                                 "/report.html  the same as a page\n"
                                 "/events       findings as server-sent events\n"
                                 "/healthz      is the agent alive\n";

static enum MHD_Result handle(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request)
{
    static int seen;
    struct http *h = arg;
    (void)version;
    (void)upload;
    if (!*request) { // headers only; the answer is due at the next call
        *request = &seen;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
    if (!host_is_allowed(h, c))
        return say(c, MHD_HTTP_FORBIDDEN, "ask by the address it listens on\n");
    if (!strcmp(url, "/metrics"))
        return metrics(h, c);
    if (!strcmp(url, "/report.json"))
        return document(h, c, REPORT_JSON);
    if (!strcmp(url, "/report.html"))
        return document(h, c, REPORT_HTML);
    if (!strcmp(url, "/healthz"))
        return healthz(h, c);
    if (!strcmp(url, "/events"))
        return sse_connect(h->events, c);
    if (!strcmp(url, "/"))
        return say(c, MHD_HTTP_OK, index_text);
    return say(c, MHD_HTTP_NOT_FOUND,
               "there is /metrics, /report.json, /report.html, /events and /healthz\n");
}

static unsigned long long wait_ms_of(struct http *h)
{
    unsigned long long ms;
    return MHD_get_timeout(h->daemon, &ms) != MHD_YES || ms > 1000 ? 1000 : ms;
}

static bool has_more(struct http *h)
{
    struct pollfd p = {.fd = h->epoll_fd, .events = POLLIN};
    return wait_ms_of(h) == 0 || poll(&p, 1, 0) > 0;
}

static void on_timer(uv_timer_t *timer);

// A request takes several steps (accepted, read, answered piece by piece), and between two turns of the
// loop the agent may be at work for long: what can be done is done at once. Not for ever, whoever asks.
static void run_daemon(struct http *h)
{
    uint64_t began = uv_hrtime();
    do
        MHD_run(h->daemon);
    while (has_more(h) && uv_hrtime() - began < AT_ONCE_NS);
    timer_after(&h->timer, on_timer, (int64_t)wait_ms_of(h) * 1000000);
}

static void on_timer(uv_timer_t *timer)
{
    run_daemon(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run_daemon(poll->data);
}

static int parse_where(const char *where, struct sockaddr_storage *ret, struct error *err)
{
    char host[128] = "127.0.0.1";
    const char *colon = strrchr(where, ':'), *port = colon ? colon + 1 : where;
    char *end;
    long number = strtol(port, &end, 10);
    if (colon && colon > where)
        snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
    size_t n = strlen(host);
    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        memmove(host, host + 1, n - 1);
    }
    if (!strcmp(host, "localhost"))
        strcpy(host, "127.0.0.1");
    bool ok = end != port && *end == '\0' && number >= 0 && number < 65536;
    if (ok && uv_ip4_addr(host, (int)number, (struct sockaddr_in *)ret) == 0)
        return 0;
    if (ok && uv_ip6_addr(host, (int)number, (struct sockaddr_in6 *)ret) == 0)
        return 0;
    return error_set(err, STATUS_USAGE, EINVAL,
                     "--listen wants ADDRESS:PORT such as 127.0.0.1:9464, not '%.80s'", where);
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr) >> 24) == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)a)->sin6_addr);
}

static int start(struct http *h, const char *where, struct error *err)
{
    struct sockaddr_storage address = {0};
    int rc = parse_where(where, &address, err);
    if (rc < 0)
        return rc;
    h->loopback = is_loopback(&address);
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
                     (address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    errno = 0;
    h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, h, MHD_OPTION_SOCK_ADDR, &address,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,
                                 MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_END);
    if (!h->daemon)
        return error_set(err, STATUS_NO_ATTACH, errno ? errno : EADDRINUSE,
                         "cannot listen on %.80s: %s", where, strerror(errno ? errno : EADDRINUSE));
    return 0;
}

int http_open(struct http **ret, uv_loop_t *loop, const char *where, struct error *err)
{
    struct http *h = calloc(1, sizeof(*h));
    if (!h)
        abort();
    h->loop = loop;
    h->events = sse_new();
    int rc = start(h, where, err);
    if (rc < 0) {
        sse_free(h->events);
        free(h);
        return rc;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    h->epoll_fd = info->epoll_fd;
    uv_poll_init(loop, &h->poll, h->epoll_fd);
    uv_timer_init(loop, &h->timer);
    h->poll.data = h->timer.data = h;
    h->open_handles = 2;
    uv_poll_start(&h->poll, UV_READABLE, on_readable);
    uv_timer_start(&h->timer, on_timer, 0, 0);
    *ret = h;
    return 0;
}

void http_show(struct http *h, struct snap *s, const struct history *history)
{
    snap_unref(h->snap);
    h->snap = snap_ref(s);
    h->history = history;
    h->shown_ns = uv_hrtime();
    forget_documents(h);
    if (sse_send(h->events, s))
        run_daemon(h);
}

void http_ended(struct http *h)
{
    h->ended = true;
}

static void on_closed(uv_handle_t *handle)
{
    struct http *h = handle->data;
    if (--h->open_handles > 0)
        return;
    snap_unref(h->snap);
    forget_documents(h);
    sse_free(h->events);
    free(h);
}

void http_close(struct http *h)
{
    if (!h)
        return;
    uv_poll_stop(&h->poll); // before its descriptor goes
    uv_close((uv_handle_t *)&h->poll, on_closed);
    uv_close((uv_handle_t *)&h->timer, on_closed);
    sse_end(h->events);
    MHD_stop_daemon(h->daemon);
}
