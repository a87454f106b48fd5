// The inventory by the kernel's task_file iterator: 0.4 us a descriptor, and it sees a socket's state,
// which /proc shows only in tables of the whole machine.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd_list.skel.h"
#include "fds_internal.h"
#include "privilege.h"

#define CHUNK      (256 * 1024)
#define HZ_SPAN_NS 200000000LL // two readings of jiffies so far apart tell their rate

struct fds_bpf {
    struct fd_list_bpf *skel;
    uint64_t jiffies, jiffies_at_ns; // the first reading
    int hz;                          // 0 not known yet
    char *buf;
};

int fds_bpf_open(struct fds_bpf **ret)
{
    if (privilege_check_pids(NULL))
        return -EOPNOTSUPP;
    struct fds_bpf *b = calloc(1, sizeof(*b));
    if (!b)
        return -ENOMEM;
    b->buf = malloc(CHUNK);
    b->skel = fd_list_bpf__open_and_load();
    if (!b->buf || !b->skel) {
        int e = b->buf ? -errno : -ENOMEM;
        fds_bpf_close(b);
        return e ? e : -EIO;
    }
    *ret = b;
    return 0;
}

void fds_bpf_close(struct fds_bpf *b)
{
    if (!b)
        return;
    if (b->skel)
        fd_list_bpf__destroy(b->skel);
    free(b->buf);
    free(b);
}

// How long a jiffy is, is a build option of the kernel and told nowhere.
static void learn_hz(struct fds_bpf *b, const struct ls_fd_row *r)
{
    static const int rates[] = {100, 250, 300, 1000};
    if (b->hz)
        return;
    if (!b->jiffies) {
        b->jiffies = r->jiffies;
        b->jiffies_at_ns = r->now_ns;
        return;
    }
    int64_t span = (int64_t)(r->now_ns - b->jiffies_at_ns);
    if (span < HZ_SPAN_NS)
        return;
    double rate = (double)(r->jiffies - b->jiffies) * 1e9 / (double)span, best = 1e9;
    for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
        double off = rate > rates[i] ? rate - rates[i] : rates[i] - rate;
        if (off < best) {
            best = off;
            b->hz = rates[i];
        }
    }
}

static enum fd_kind kind_of_inet(const struct ls_fd_row *r)
{
    if (r->protocol == IPPROTO_TCP)
        return r->state == TCP_LISTEN ? FD_LISTENER : FD_TCP;
    return r->protocol == IPPROTO_UDP ? FD_UDP : FD_SOCKET;
}

static enum fd_kind kind_of(const struct ls_fd_row *r)
{
    switch (r->mode & S_IFMT) {
    case S_IFREG: return strncmp(r->name, "[pidfd", 6) == 0 ? FD_PIDFD : FD_FILE;
    case S_IFDIR: return FD_DIRECTORY;
    case S_IFIFO: return FD_PIPE;
    case S_IFBLK: return FD_DEVICE;
    case S_IFCHR:
        return strncmp(r->name, "tty", 3) == 0 || strcmp(r->name, "ptmx") == 0 ? FD_TERMINAL
                                                                               : FD_DEVICE;
    case S_IFSOCK:
        return r->family == AF_INET || r->family == AF_INET6 ? kind_of_inet(r)
               : r->family == AF_UNIX                        ? FD_UNIX
               : r->family == AF_NETLINK                     ? FD_NETLINK
                                                             : FD_SOCKET;
    default: return r->name[0] == '[' ? fd_kind_of_anon(r->name + 1) : FD_OTHER;
    }
}

static int add_row(struct fds_bpf *b, struct fds *f, const struct ls_fd_row *r)
{
    struct fd_row *to = fds_add(f);
    if (!to)
        return -ENOMEM;
    learn_hz(b, r);
    to->fd = (int)r->fd;
    to->kind = kind_of(r);
    to->file = r->file;
    to->inode = r->inode;
    to->position = (int64_t)r->position;
    if (r->idle_jiffies != LS_FD_IDLE_UNKNOWN && b->hz && to->kind == FD_TCP)
        to->idle_ns = (int64_t)r->idle_jiffies * (1000000000LL / b->hz);
    if (to->kind == FD_TCP)
        to->unread = r->unread;
    to->family = r->family;
    to->state = r->state;
    to->local_port = r->local_port;
    to->remote_port = r->remote_port;
    memcpy(to->local, r->local, sizeof(to->local));
    memcpy(to->remote, r->remote, sizeof(to->remote));
    memcpy(to->name, r->name, sizeof(to->name));
    to->name[sizeof(to->name) - 1] = '\0';
    return 0;
}

static int take(struct fds_bpf *b, struct fds *f, int iter)
{
    size_t kept = 0;
    for (;;) {
        ssize_t n = read(iter, b->buf + kept, CHUNK - kept);
        if (n < 0 && errno == EAGAIN)
            continue; // the iterator skipped many tasks
        if (n <= 0)
            return n < 0 ? -errno : 0;
        kept += (size_t)n;
        size_t at = 0;
        for (; at + sizeof(struct ls_fd_row) <= kept; at += sizeof(struct ls_fd_row)) {
            struct ls_fd_row r;
            memcpy(&r, b->buf + at, sizeof(r));
            int e = add_row(b, f, &r);
            if (e)
                return e;
        }
        kept -= at;
        memmove(b->buf, b->buf + at, kept);
    }
}

// Before 6.1 the iterator cannot be told which task, and walks them all.
static struct bpf_link *attach(struct fds_bpf *b, int pid)
{
    union bpf_iter_link_info info = {.task.tid = (unsigned int)pid};
    DECLARE_LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info,
                        .link_info_len = sizeof(info));
    struct bpf_link *link = bpf_program__attach_iter(b->skel->progs.list, &opts);
    return link || errno == ESRCH ? link : bpf_program__attach_iter(b->skel->progs.list, NULL);
}

int fds_bpf_list(struct fds_bpf *b, struct fds *f, int pid)
{
    b->skel->bss->wanted = (unsigned int)pid;
    struct bpf_link *link = attach(b, pid);
    if (!link)
        return -errno;
    int iter = bpf_iter_create(bpf_link__fd(link));
    int e = iter < 0 ? -errno : take(b, f, iter);
    if (iter >= 0)
        close(iter);
    bpf_link__destroy(link);
    return e;
}
