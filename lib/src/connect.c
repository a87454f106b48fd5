// Connecting, listening, accepting.
#include "io.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEFAULT_BACKLOG 511
#define FULL_PAUSE      LS_MSEC(10)

// ---- connecting ----

static int connect_to(struct ls_site *site, ls_stream **ret, const struct sockaddr *address,
                      socklen_t size, int64_t timeout_ns)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;
    if (fd < 0)
        return -errno;
    if ((r = ls__stream_new(ret, fd)) < 0) {
        close(fd);
        return r;
    }
    do
        r = connect(fd, address, size) < 0 ? -errno : 0;
    while (r == -EINTR);
    if (r == -EINPROGRESS)
        r = ls__stream_connected(site, *ret, timeout_ns);
    if (r < 0) {
        if (r != -EBADF)
            ls_close_at(NULL, *ret);
        *ret = NULL;
    }
    return r;
}

static int resolve(struct ls_site *site, const char *host, uint16_t port, struct addrinfo **ret,
                   int64_t timeout_ns)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    return ls_resolve_at(site, host, service, &hints, ret, timeout_ns);
}

// An address as it is, without asking anybody.
static bool numeric(const char *host, uint16_t port, struct address *a)
{
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)&a->u.storage) == 0)
        a->size = sizeof(struct sockaddr_in);
    else if (uv_ip6_addr(host, port, (struct sockaddr_in6 *)&a->u.storage) == 0)
        a->size = sizeof(struct sockaddr_in6);
    else
        return false;
    return true;
}

static bool interrupted(int r)
{
    return r == -ECANCELED || ls_check_at(NULL) < 0;
}

int ls_tcp_connect_at(struct ls_site *site, ls_stream **ret, const char *host, uint16_t port,
                      int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    struct task *t = task_current();
    struct address a;
    struct addrinfo *list;
    *ret = NULL;
    if (!t)
        return ls__not_in_task(site, "ls_tcp_connect");
    int r = may_wait(t, false, timeout_ns);
    if (r < 0)
        return r;
    if (numeric(host, port, &a))
        return connect_to(site, ret, &a.u.any, a.size, timeout_ns);
    if ((r = resolve(site, host, port, &list, timeout_ns)) < 0)
        return r;
    r = -ENOENT;
    for (const struct addrinfo *i = list; i; i = i->ai_next) {
        r = connect_to(site, ret, i->ai_addr, i->ai_addrlen, span_left(until));
        if (r == 0 || interrupted(r) || span_left(until) == 0)
            break;
    }
    ls_addrinfo_free(list);
    return r;
}

int ls_unix_connect_at(struct ls_site *site, ls_stream **ret, const char *path, int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    struct task *t = task_current();
    struct address a;
    *ret = NULL;
    if (!t)
        return ls__not_in_task(site, "ls_unix_connect");
    int r = ls__unix_address(&a, path);
    if (r < 0 || (r = t->interrupt) < 0)
        return r;
    while ((r = connect_to(site, ret, &a.u.any, a.size, span_left(until))) == -EAGAIN) {
        int64_t left =
            span_left(until); // the backlog is full, and the kernel tells nobody when it is not
        if (left == 0)
            return -ETIMEDOUT;
        r = ls_sleep_at(site, left > 0 && left < FULL_PAUSE ? left : FULL_PAUSE);
        if (r < 0)
            return r;
    }
    return r;
}

// ---- listening ----

struct acceptor { // on the waiting task's stack
    struct list link;
    struct task *task;
    bool woken, closed;
};

struct ls_listener {
    uv_poll_t poll;
    struct owned owned;
    struct list acceptors;
    int fd;
    bool armed;
    char *path; // to unlink
};

static void free_listener(uv_handle_t *handle)
{
    struct ls_listener *l = list_entry(handle, struct ls_listener, poll);
    free(l->path);
    free(l);
}

static void release_listener(struct owned *o)
{
    ls_listener_close_at(NULL, list_entry(o, struct ls_listener, owned));
}

static int listener_new(ls_listener **ret, int fd, const char *path)
{
    ls_listener *l = calloc(1, sizeof(*l));
    if (!l || (path && !(l->path = strdup(path)))) {
        free(l);
        return -ENOMEM;
    }
    int r = uv_poll_init(ls__loop->uv, &l->poll, fd);
    if (r < 0) {
        free(l->path);
        free(l);
        return r;
    }
    uv_unref((uv_handle_t *)&l->poll);
    list_init(&l->acceptors);
    l->fd = fd;
    ls__owned_init(&l->owned, ls__loop, release_listener);
    *ret = l;
    return 0;
}

static int listen_on(ls_listener **ret, const struct sockaddr *address, socklen_t size, int backlog,
                     const char *path)
{
    int on = 1, r = 0;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (!path)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address, size) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    const char *file = path && path[0] != '@' ? path : NULL; // is there now
    if (listen(fd, backlog > 0 ? backlog : DEFAULT_BACKLOG) < 0)
        r = -errno;
    if (r == 0)
        r = listener_new(ret, fd, file);
    if (r < 0) {
        close(fd);
        if (file)
            unlink(file);
    }
    return r;
}

int ls_tcp_listen_at(struct ls_site *site, ls_listener **ret, const char *host, uint16_t port,
                     int backlog)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST | AI_PASSIVE},
                    *list;
    char service[8];
    struct address a;
    *ret = NULL;
    if (!ls__loop)
        return ls__wrong_loop(site, "ls_tcp_listen");
    if (host && numeric(host, port, &a))
        return listen_on(ret, &a.u.any, a.size, backlog, NULL);
    if (host &&
        strcmp(host, "localhost") != 0) // a name would have to be looked up, and that may take long
        return -EINVAL;
    if (host)
        return ls_tcp_listen_at(site, ret, "127.0.0.1", port, backlog);
    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(NULL, service, &hints, &list) != 0)
        return -EINVAL;
    int r = -EADDRNOTAVAIL;
    for (int pass = 0; pass < 2 && r < 0 && r != -EADDRINUSE; pass++) // [::] takes IPv4, too
        for (const struct addrinfo *i = list; i && r < 0; i = i->ai_next)
            if ((i->ai_family == AF_INET6) == (pass == 0))
                r = listen_on(ret, i->ai_addr, i->ai_addrlen, backlog, NULL);
    freeaddrinfo(list);
    return r;
}

int ls_unix_listen_at(struct ls_site *site, ls_listener **ret, const char *path, int backlog)
{
    struct address a;
    *ret = NULL;
    if (!ls__loop)
        return ls__wrong_loop(site, "ls_unix_listen");
    int r = ls__unix_address(&a, path);
    return r < 0 ? r : listen_on(ret, &a.u.any, a.size, backlog, path);
}

int ls_listener_port(const ls_listener *l)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } a;
    socklen_t size = sizeof(a);
    if (getsockname(l->fd, &a.any, &size) < 0)
        return -errno;
    if (a.any.sa_family != AF_INET && a.any.sa_family != AF_INET6)
        return -EAFNOSUPPORT;
    return ntohs(a.any.sa_family == AF_INET ? a.in.sin_port : a.in6.sin6_port);
}

void ls_listener_close_at(struct ls_site *site, ls_listener *l)
{
    if (!l)
        return;
    if (l->owned.loop != ls__loop) {
        ls__wrong_loop_of(l->owned.loop, site, "ls_listener_close");
        return;
    }
    struct list *node;
    ls__owned_forget(&l->owned);
    while ((node = list_pop(&l->acceptors))) {
        struct acceptor *a = list_entry(node, struct acceptor, link);
        a->closed = true;
        if (!a->woken)
            ls__wake(a->task, -EBADF);
    }
    if (l->path)
        unlink(l->path);
    uv_close((uv_handle_t *)&l->poll, free_listener);
    close(l->fd);
}

int ls_listener_adopt_at(struct ls_site *site, ls_listener *l)
{
    return ls__owned_adopt(site, &l->owned, "ls_listener_adopt");
}

// ---- accepting ----

// One connection may have come, or more: who accepts it wakes again, the poll being level-triggered.
static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct ls_listener *l = list_entry(poll, struct ls_listener, poll);
    (void)events;
    if (status < 0)
        l->armed = false; // libuv has stopped watching; accept(2) will tell why
    for (struct list *node = l->acceptors.next; node != &l->acceptors; node = node->next) {
        struct acceptor *a = list_entry(node, struct acceptor, link);
        if (a->woken)
            continue;
        a->woken = true;
        ls__wake(a->task, 0);
        return;
    }
    if (l->armed && list_empty(&l->acceptors)) {
        uv_poll_stop(&l->poll);
        l->armed = false;
    }
}

static void accept_abort(struct task *t, int why)
{
    struct acceptor *a = t->wait_op;
    list_del(&a->link);
    ls__wake(t, why);
}

static int wait_for_connection(struct ls_site *site, struct ls_listener *l, struct task *t,
                               int64_t timeout_ns)
{
    struct acceptor a = {.task = t};
    int r = may_wait(t, false, timeout_ns);
    if (r < 0)
        return r;
    if (!l->armed && (r = uv_poll_start(&l->poll, UV_READABLE, on_connection)) < 0)
        return r;
    l->armed = true;
    list_add_tail(&l->acceptors, &a.link);
    r = park_at(t->loop, t, LS_ABI_WAIT_ACCEPT, (uint64_t)l->fd, site, timeout_ns, accept_abort, &a,
                false);
    if (a.closed)
        return -EBADF;
    list_del(&a.link);
    return r;
}

static int accept_now(const struct ls_listener *l)
{
    int fd;
    do
        fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    return fd < 0 ? -errno : fd;
}

int ls_accept_at(struct ls_site *site, ls_listener *l, ls_stream **ret, int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    struct task *t = task_current();
    int fd, r;
    *ret = NULL;
    if (!t)
        return ls__not_in_task(site, "ls_accept");
    if (t->loop != l->owned.loop)
        return ls__wrong_loop_of(l->owned.loop, site, "ls_accept");
    if ((r = t->interrupt) < 0)
        return r;
    while ((fd = accept_now(l)) == -EAGAIN) {
        r = wait_for_connection(site, l, t, span_left(until));
        if (r < 0)
            return r;
    }
    if (fd < 0)
        return fd;
    if ((r = ls__stream_new(ret, fd)) < 0)
        close(fd);
    return r;
}
