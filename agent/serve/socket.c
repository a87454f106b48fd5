#include "socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

#define MAX_CLIENTS 32
#define BACKLOG     ((size_t)8 << 20) // bytes a client may be behind
#define DEAF_NS     30000000000ULL    // nothing taken for so long, though something waits

struct client {
    uv_pipe_t pipe; // first: handles are cast to it
    struct socket_server *server;
    struct client *next;
    struct wire_frames frames;
    struct wire_writer *writer;
    char buf[2048];
    uint64_t took_ns; // when it last took something, or nothing waited
    bool ready;       // it has said hello
    bool closing;
};

struct socket_server {
    uv_pipe_t listener;
    struct client *clients;
    int nclients;
    struct socket_hooks hooks;
    struct snap *snap;
    uid_t *allowed;
    int nallowed;
    char *path;
    bool closing, listener_open;
};

struct sending {
    uv_write_t write;
    struct bytes bytes;
};

static void free_when_over(struct socket_server *s)
{
    if (!s->closing || s->listener_open || s->clients)
        return;
    snap_unref(s->snap);
    free(s->allowed);
    free(s->path);
    free(s);
}

static void on_client_closed(uv_handle_t *handle)
{
    struct client *c = (struct client *)handle;
    struct socket_server *s = c->server;
    for (struct client **at = &s->clients; *at; at = &(*at)->next)
        if (*at == c) {
            *at = c->next;
            break;
        }
    s->nclients--;
    wire_writer_free(c->writer);
    bytes_free(&c->frames.pending);
    free(c);
    free_when_over(s);
}

static void drop(struct client *c)
{
    if (c->closing)
        return;
    c->closing = true;
    uv_close((uv_handle_t *)&c->pipe, on_client_closed);
}

static void on_written(uv_write_t *write, int status)
{
    struct sending *w = (struct sending *)write;
    struct client *c = write->data;
    bytes_free(&w->bytes);
    free(w);
    c->took_ns = uv_hrtime();
    if (status < 0)
        drop(c);
}

static bool is_deaf(struct client *c, size_t behind)
{
    uint64_t now_ns = uv_hrtime();
    if (behind == 0)
        c->took_ns = now_ns;
    return behind > BACKLOG || now_ns - c->took_ns > DEAF_NS;
}

static void on_last_written(uv_write_t *write, int status)
{
    (void)status;
    struct client *c = write->data;
    on_written(write, -ECONNRESET); // whatever came of it: this was the last
    drop(c);
}

// Takes the bytes.
static void send_bytes(struct client *c, struct bytes bytes, uv_write_cb done)
{
    struct sending *w = calloc(1, sizeof(*w));
    if (!w)
        abort();
    w->bytes = bytes;
    w->write.data = c;
    uv_buf_t buf = uv_buf_init((char *)bytes.at, (unsigned)bytes.n);
    size_t behind = uv_stream_get_write_queue_size((uv_stream_t *)&c->pipe);
    if (!is_deaf(c, behind) && uv_write(&w->write, (uv_stream_t *)&c->pipe, &buf, 1, done) == 0)
        return;
    bytes_free(&w->bytes);
    free(w);
    drop(c);
}

static void say_last(struct client *c, enum wire_kind kind, const char *text)
{
    struct bytes b = {0};
    wire_put(&b, kind, text, strlen(text));
    send_bytes(c, b, on_last_written);
}

static void send_snapshot(struct client *c, struct snap *s)
{
    struct bytes b = {0};
    wire_put_picture(c->writer, &b, s);
    send_bytes(c, b, on_written);
}

static int hello(struct client *c, const uint8_t *body, size_t n)
{
    if (c->ready || wire_take_hello(body, n) < 0)
        return -EBADMSG;
    c->ready = true;
    if (c->server->snap)
        send_snapshot(c, c->server->snap);
    return 0;
}

static int take_frame(struct client *c, enum wire_kind kind, const uint8_t *body, size_t n)
{
    const struct socket_hooks *hooks = &c->server->hooks;
    struct wishes w;
    if (kind == WIRE_HELLO)
        return hello(c, body, n);
    if (!c->ready)
        return -EBADMSG;
    if (kind == WIRE_LOOK) {
        hooks->look(hooks->arg);
        return 0;
    }
    if (kind != WIRE_WISH || wire_take_wish(&w, (int64_t)uv_hrtime(), body, n) < 0)
        return -EBADMSG;
    hooks->wish(hooks->arg, &w);
    return 0;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    struct client *c = (struct client *)handle;
    *ret = uv_buf_init(c->buf, sizeof(c->buf));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = (struct client *)stream;
    enum wire_kind kind;
    const uint8_t *body;
    size_t length;
    int rc = n < 0 ? -ECONNRESET : 1;
    if (n > 0)
        wire_add(&c->frames, buf->base, (size_t)n);
    while (rc > 0 && !c->closing && (rc = wire_next(&c->frames, &kind, &body, &length)) > 0)
        if (take_frame(c, kind, body, length) < 0)
            rc = -EBADMSG;
    if (rc < 0)
        drop(c);
}

static int peer_of(struct client *c, struct ucred *ret)
{
    uv_os_fd_t fd;
    socklen_t size = sizeof(*ret);
    if (uv_fileno((uv_handle_t *)&c->pipe, &fd) < 0)
        return -EBADF;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &size);
}

static bool is_allowed(const struct socket_server *s, uid_t uid)
{
    bool ok = uid == 0 || uid == geteuid();
    for (int i = 0; i < s->nallowed; i++)
        ok |= uid == s->allowed[i];
    return ok;
}

static void greet(struct client *c)
{
    struct ucred peer = {.uid = (uid_t)-1};
    char text[120];
    if (c->server->closing || peer_of(c, &peer) < 0) {
        drop(c);
    } else if (!is_allowed(c->server, peer.uid)) {
        snprintf(text, sizeof(text), "uid %u is not allowed to connect", (unsigned)peer.uid);
        say_last(c, WIRE_REFUSED, text);
    } else if (c->server->nclients > MAX_CLIENTS) {
        say_last(c, WIRE_REFUSED, "too many dashboards are connected");
    } else {
        struct bytes b = {0};
        wire_put_hello(&b);
        send_bytes(c, b, on_written);
        uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct socket_server *s = listener->data;
    struct client *c = status < 0 ? NULL : calloc(1, sizeof(*c));
    if (!c)
        return;
    uv_pipe_init(listener->loop, &c->pipe, 0);
    c->server = s;
    c->frames.max = WIRE_FROM_CLIENT;
    c->writer = wire_writer_new();
    c->next = s->clients;
    s->clients = c;
    s->nclients++;
    if (uv_accept(listener, (uv_stream_t *)&c->pipe) < 0)
        drop(c);
    else
        greet(c);
}

// Whether somebody listens there. One who accepts nobody, with a full backlog, must not hold us (EAGAIN).
static bool is_in_use(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    bool used = fd >= 0 && (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    return used;
}

static int make_room(const char *path, struct error *err)
{
    struct stat st;
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return error_set(err, STATUS_USAGE, ENAMETOOLONG,
                         "--socket: a socket's path has at most %zu bytes",
                         sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    if (lstat(path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, STATUS_USAGE, EEXIST, "%.200s exists and is not a socket", path);
    if (is_in_use(path))
        return error_set(err, STATUS_NO_ATTACH, EADDRINUSE,
                         "%.200s: another agent serves there already", path);
    unlink(path);
    return 0;
}

// By the mask, not by a chmod afterwards: there is no moment in which others slip in, nor one in which the name
// may have become another file's.
static int listen_at(struct socket_server *s)
{
    mode_t old = umask(s->nallowed > 0 ? 0111 : 0177);
    int rc = uv_pipe_bind(&s->listener, s->path);
    umask(old);
    return rc == 0 ? uv_listen((uv_stream_t *)&s->listener, 16, on_connection) : rc;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct socket_server *s = handle->data;
    s->listener_open = false;
    free_when_over(s);
}

int socket_open(struct socket_server **ret, uv_loop_t *loop, const char *path, const uid_t *allowed,
                int nallowed, const struct socket_hooks *hooks, struct error *err)
{
    int rc = make_room(path, err);
    if (rc < 0)
        return rc;
    struct socket_server *s = calloc(1, sizeof(*s));
    if (!s || !(s->path = strdup(path)) ||
        !(s->allowed = malloc(sizeof(*allowed) * ((size_t)nallowed + 1))))
        abort();
    for (int i = 0; i < nallowed; i++)
        s->allowed[i] = allowed[i];
    s->nallowed = nallowed;
    s->hooks = *hooks;
    s->listener_open = true;
    uv_pipe_init(loop, &s->listener, 0);
    s->listener.data = s;
    rc = listen_at(s);
    if (rc < 0) {
        error_set(err, STATUS_NO_ATTACH, -rc, "cannot listen on %.200s: %s", path, uv_strerror(rc));
        s->closing = true;
        uv_close((uv_handle_t *)&s->listener, on_listener_closed);
        return rc;
    }
    *ret = s;
    return 0;
}

void socket_show(struct socket_server *s, struct snap *snap)
{
    struct snap *before = s->snap;
    s->snap = snap_ref(snap);
    snap_unref(before);
    for (struct client *c = s->clients; c; c = c->next)
        if (c->ready && !c->closing)
            send_snapshot(c, snap);
}

void socket_close(struct socket_server *s, const char *why)
{
    if (!s)
        return;
    s->closing = true;
    for (struct client *c = s->clients; c; c = c->next)
        if (!c->closing)
            say_last(c, WIRE_END, why ? why : "");
    uv_close((uv_handle_t *)&s->listener, on_listener_closed); // removes the file too
}
