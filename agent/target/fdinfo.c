#include "fdinfo.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "procfs.h"
#include "sockets.h"

#define NONBLOCK    04000 // O_NONBLOCK as fdinfo prints it
#define RELATED_MAX 16    // processes searched for a pipe's other end

static bool ends_with(const char *text, const char *tail)
{
    size_t n = strlen(text), m = strlen(tail);
    return n >= m && strcmp(text + n - m, tail) == 0;
}

bool path_is_log(const char *path)
{
    return ends_with(path, ".log") || strncmp(path, "/var/log/", 9) == 0 || strstr(path, ".log.") ||
           ends_with(path, "/dev/log") || ends_with(path, "/dev/kmsg");
}

static bool is_terminal(const char *path)
{
    return strncmp(path, "/dev/pts/", 9) == 0 || strncmp(path, "/dev/tty", 8) == 0 ||
           strcmp(path, "/dev/console") == 0;
}

static bool is_log_socket(const char *peer)
{
    return strstr(peer, "/dev/log") || strstr(peer, "/run/systemd/journal/") ||
           ends_with(peer, ":514");
}

struct pipe_search {
    int self, pid, own_fd;
    const char *link;
    int found_pid;
    int tried;
};

static bool look_at_fd(void *arg, int fd)
{
    struct pipe_search *s = arg;
    char link[64];
    if (s->pid == s->self && fd == s->own_fd)
        return true;
    if (procfs_link(link, sizeof(link), "/proc/%d/fd/%d", s->pid, fd) > 0 &&
        strcmp(link, s->link) == 0)
        s->found_pid = s->pid;
    return !s->found_pid && ++s->tried < 512;
}

static void look_at_process(struct pipe_search *s, int pid)
{
    char folder[32];
    if (s->found_pid || pid <= 1)
        return;
    s->pid = pid;
    snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
    procfs_numbers(folder, look_at_fd, s);
}

// The process at a pipe's other end, when it is a child or the parent: all others cost a walk over
// every descriptor of the machine.
static void describe_pipe(int pid, int fd, const char *link, struct snap *box, struct cause *cause)
{
    struct pipe_search s = {.self = pid, .own_fd = fd, .link = link};
    char children[512], comm[64];
    struct proc_stat stat;
    if (procfs_read(children, sizeof(children), "/proc/%d/task/%d/children", pid, pid) > 0) {
        char *at = children, *end;
        for (int i = 0; i < RELATED_MAX && !s.found_pid; i++, at = end) {
            long child = strtol(at, &end, 10);
            if (end == at)
                break;
            look_at_process(&s, (int)child);
        }
    }
    if (!s.found_pid && proc_stat(pid, 0, &stat) == 0)
        look_at_process(&s, stat.ppid);
    if (s.found_pid && procfs_comm(s.found_pid, s.found_pid, comm, sizeof(comm)) == 0)
        cause->peer = snap_printf(box, "process %d (%s)", s.found_pid, comm);
}

static bool lacks_nonblock(int pid, int fd)
{
    char buf[512];
    if (procfs_read(buf, sizeof(buf), "/proc/%d/fdinfo/%d", pid, fd) < 0)
        return false;
    const char *flags = strstr(buf, "flags:");
    return flags && !(strtoul(flags + 6, NULL, 8) & NONBLOCK);
}

// A named pipe looks like a file by name; only its mode tells.
static bool is_fifo(int pid, int fd)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
    return stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

void fd_describe(int pid, int fd, bool writing, struct snap *box, struct cause *cause)
{
    char link[512], peer[160];
    cause->fd = fd;
    if (procfs_link(link, sizeof(link), "/proc/%d/fd/%d", pid, fd) <= 0)
        return;
    cause->path = snap_strdup(box, link);
    bool socket = strncmp(link, "socket:[", 8) == 0, pipe = strncmp(link, "pipe:[", 6) == 0;
    if (socket && socket_peer(pid, strtoul(link + 8, NULL, 10), peer, sizeof(peer)))
        cause->peer = snap_strdup(box, peer);
    if (pipe)
        describe_pipe(pid, fd, link, box, cause);
    bool terminal = is_terminal(link);
    if (socket || pipe || terminal || is_fifo(pid, fd))
        cause->nonblock_missing = lacks_nonblock(pid, fd);
    if (writing)
        cause->is_log = fd == 1 || fd == 2 || terminal || path_is_log(link) ||
                        (socket && cause->peer && is_log_socket(cause->peer));
}

const char *address_text(struct snap *box, const void *bytes, size_t len, const char *protocol)
{
    char host[INET6_ADDRSTRLEN];
    sa_family_t family;
    if (len < sizeof(family))
        return NULL;
    memcpy(&family, bytes, sizeof(family));
    if (family == AF_INET && len >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in in;
        memcpy(&in, bytes, sizeof(in));
        return snap_printf(box, "%s %s:%u", protocol,
                           inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host)),
                           ntohs(in.sin_port));
    }
    if (family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 in;
        memcpy(&in, bytes, sizeof(in));
        return snap_printf(box, "%s [%s]:%u", protocol,
                           inet_ntop(AF_INET6, &in.sin6_addr, host, sizeof(host)),
                           ntohs(in.sin6_port));
    }
    if (family == AF_UNIX && len > sizeof(family)) {
        char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1] = {0};
        size_t n = len - sizeof(family);
        memcpy(path, (const char *)bytes + sizeof(family), n < sizeof(path) ? n : sizeof(path) - 1);
        if (!path[0])
            path[0] = '@';
        return snap_printf(box, "unix %s", path);
    }
    return NULL;
}
