// The inventory: chooses its source, and says what a row means.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fds_internal.h"

int fds_open(struct fds **ret, bool proc, struct error *err)
{
    struct fds *f = calloc(1, sizeof(*f));
    if (!f)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    if (!proc && fds_bpf_open(&f->bpf))
        f->bpf = NULL; // /proc does as well, for more of our own time
    *ret = f;
    return 0;
}

void fds_close(struct fds *f)
{
    if (!f)
        return;
    fds_bpf_close(f->bpf);
    free(f->rows);
    free(f);
}

const char *fds_source(struct fds *f)
{
    return f->bpf ? "iterator" : "/proc";
}

struct fd_row *fds_add(struct fds *f)
{
    if (f->nrows == f->capacity) {
        int more = f->capacity ? f->capacity * 2 : 256;
        struct fd_row *rows = realloc(f->rows, sizeof(*rows) * (size_t)more);
        if (!rows)
            return NULL;
        f->rows = rows;
        f->capacity = more;
    }
    struct fd_row *r = &f->rows[f->nrows++];
    *r = (struct fd_row){.idle_ns = FD_UNKNOWN, .unread = FD_UNKNOWN};
    return r;
}

static int by_number(const void *a, const void *b)
{
    const struct fd_row *x = a, *y = b;
    return (x->fd > y->fd) - (x->fd < y->fd);
}

int fds_list(struct fds *f, int pid, const struct fd_row **rows)
{
    f->nrows = 0;
    int e = f->bpf ? fds_bpf_list(f->bpf, f, pid) : fds_proc_list(f, pid);
    if (e)
        return e;
    if (!f->bpf)
        qsort(f->rows, (size_t)f->nrows, sizeof(*f->rows), by_number);
    *rows = f->rows;
    return f->nrows;
}

const char *fd_kind_name(enum fd_kind kind)
{
    static const char *const names[FD_KINDS] = {
        [FD_OTHER] = "other",       [FD_FILE] = "file",         [FD_DIRECTORY] = "dir",
        [FD_PIPE] = "pipe",         [FD_TERMINAL] = "terminal", [FD_DEVICE] = "device",
        [FD_TCP] = "tcp",           [FD_LISTENER] = "listener", [FD_UDP] = "udp",
        [FD_UNIX] = "unix",         [FD_NETLINK] = "netlink",   [FD_SOCKET] = "socket",
        [FD_EPOLL] = "epoll",       [FD_EVENTFD] = "eventfd",   [FD_TIMERFD] = "timerfd",
        [FD_SIGNALFD] = "signalfd", [FD_INOTIFY] = "inotify",   [FD_IO_URING] = "io_uring",
        [FD_PIDFD] = "pidfd",
    };
    return kind >= 0 && kind < FD_KINDS ? names[kind] : "other";
}

bool fd_is_socket(enum fd_kind kind)
{
    return kind >= FD_TCP && kind <= FD_SOCKET;
}

enum fd_kind fd_kind_of_anon(const char *name)
{
    static const struct {
        const char *name;
        enum fd_kind kind;
    } known[] = {
        {"eventpoll", FD_EPOLL},   {"eventfd", FD_EVENTFD}, {"timerfd", FD_TIMERFD},
        {"signalfd", FD_SIGNALFD}, {"inotify", FD_INOTIFY}, {"fanotify", FD_INOTIFY},
        {"io_uring", FD_IO_URING}, {"pidfd", FD_PIDFD},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strncmp(name, known[i].name, strlen(known[i].name)) == 0)
            return known[i].kind;
    return FD_OTHER;
}

const char *fd_state_name(const struct fd_row *row)
{
    static const char *const names[] = {
        [TCP_ESTABLISHED] = "ESTABLISHED",
        [TCP_SYN_SENT] = "SYN_SENT",
        [TCP_SYN_RECV] = "SYN_RECV",
        [TCP_FIN_WAIT1] = "FIN_WAIT1",
        [TCP_FIN_WAIT2] = "FIN_WAIT2",
        [TCP_TIME_WAIT] = "TIME_WAIT",
        [TCP_CLOSE] = "CLOSED",
        [TCP_CLOSE_WAIT] = "CLOSE_WAIT",
        [TCP_LAST_ACK] = "LAST_ACK",
        [TCP_LISTEN] = "LISTEN",
        [TCP_CLOSING] = "CLOSING",
    };
    bool tcp = row->kind == FD_TCP || row->kind == FD_LISTENER;
    if (!tcp || row->state <= 0 || row->state >= (int)(sizeof(names) / sizeof(*names)))
        return NULL;
    return names[row->state];
}

const char *fd_address(const struct fd_row *row, bool remote, char *buf, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    int port = remote ? row->remote_port : row->local_port;
    buf[0] = '\0';
    if (port == 0 || (row->family != AF_INET && row->family != AF_INET6))
        return buf;
    const uint8_t *bytes = remote ? row->remote : row->local;
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool v4 = row->family == AF_INET || memcmp(bytes, mapped, sizeof(mapped)) == 0;
    const uint8_t *from = v4 && row->family == AF_INET6 ? bytes + 12 : bytes;
    if (inet_ntop(v4 ? AF_INET : AF_INET6, from, host, sizeof(host)))
        snprintf(buf, size, v4 ? "%s:%d" : "[%s]:%d", host, port);
    return buf;
}
