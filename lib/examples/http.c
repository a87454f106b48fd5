#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int url_parse(struct url *u, const char *text)
{
    unsigned port = 80;
    memset(u, 0, sizeof(*u));
    strcpy(u->path, "/");
    if (sscanf(text, "http://%255[^:/]:%u%1023s", u->host, &port, u->path) < 2 &&
        sscanf(text, "http://%255[^:/]%1023s", u->host, u->path) < 1)
        return -EINVAL;
    if (port == 0 || port > 65535 || u->path[0] != '/')
        return -EINVAL;
    u->port = (uint16_t)port;
    return 0;
}

static int send_request(ls_stream *s, const struct url *u)
{
    char request[2048];
    int n = snprintf(request, sizeof(request),
                     "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", u->path, u->host);
    return ls_write(s, request, (size_t)n, LS_FOREVER);
}

// The status line and the headers; *length is -1 when the body ends with the connection.
static int read_head(ls_stream *s, struct response *r, long *length)
{
    char line[2048];
    ssize_t n = ls_read_until(s, line, sizeof(line), '\n', LS_FOREVER);
    if (n <= 0 || sscanf(line, "HTTP/1.%*d %d", &r->status) != 1)
        return n < 0 ? (int)n : -EPROTO;
    *length = -1;
    while ((n = ls_read_until(s, line, sizeof(line), '\n', LS_FOREVER)) > 0) {
        if (line[0] == '\r' || line[0] == '\n')
            return 0;
        if (!strncasecmp(line, "Content-Length:", 15))
            *length = strtol(line + 15, NULL, 10);
    }
    return n < 0 ? (int)n : -EPROTO;
}

static int read_body(ls_stream *s, struct response *r, long length, size_t max)
{
    if (length > (long)max)
        return -EFBIG;
    size_t room = length >= 0 ? (size_t)length : max;
    r->body = ls_alloc(room + 1);
    if (!r->body)
        return -ENOMEM;
    while (r->size < room) {
        ssize_t n = ls_read(s, r->body + r->size, room - r->size, LS_FOREVER);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        r->size += (size_t)n;
    }
    return length >= 0 && r->size < room ? -EPROTO : 0;
}

static int exchange(const struct url *u, struct response *r, size_t max)
{
    ls_stream *s;
    long length = -1;
    int e = ls_tcp_connect(&s, u->host, u->port, LS_FOREVER);
    if (e < 0)
        return e;
    e = send_request(s, u);
    if (e == 0)
        e = read_head(s, r, &length);
    if (e == 0)
        e = read_body(s, r, length, max);
    ls_close(s); // would be closed with the task, too, also when that is cancelled
    return e;
}

// One deadline over all of it: no call inside needs a timeout of its own.
int http_get(const struct url *u, struct response *ret, size_t max, int64_t timeout_ns)
{
    struct ls_deadline bound;
    memset(ret, 0, sizeof(*ret));
    int e = ls_deadline_begin(&bound, timeout_ns);
    if (e < 0)
        return e;
    e = exchange(u, ret, max);
    ls_deadline_end(&bound);
    return e;
}
