// The inventory from /proc: a link a descriptor, and the tables of TCP, UDP and unix sockets of the
// target's own network namespace. Ten times dearer than the iterator; idle times are not to be had.
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fds_internal.h"

#define LINES_MAX 200000 // of a socket table

static enum fd_kind kind_of_path(int dir, const char *number, const char *link)
{
    struct stat st;
    if (strncmp(link, "/dev/pts/", 9) == 0 || strncmp(link, "/dev/tty", 8) == 0)
        return FD_TERMINAL;
    if (fstatat(dir, number, &st, 0))
        return FD_OTHER;
    return S_ISREG(st.st_mode)    ? FD_FILE
           : S_ISDIR(st.st_mode)  ? FD_DIRECTORY
           : S_ISFIFO(st.st_mode) ? FD_PIPE
                                  : FD_DEVICE;
}

static void read_link(struct fd_row *r, int dir, const char *number, const char *link)
{
    const char *slash = strrchr(link, '/');
    const char *bracket = strchr(link, '[');
    r->inode = bracket ? strtoull(bracket + 1, NULL, 10) : 0;
    if (strncmp(link, "socket:[", 8) == 0) {
        r->kind = FD_SOCKET;
    } else if (strncmp(link, "pipe:[", 6) == 0) {
        r->kind = FD_PIPE;
    } else if (strncmp(link, "anon_inode:", 11) == 0) {
        const char *name = link + 11 + (link[11] == '[');
        r->kind = fd_kind_of_anon(name);
        r->inode = 0; // all of them share one
        snprintf(r->name, sizeof(r->name), "%.31s", link + 11);
    } else {
        r->kind = kind_of_path(dir, number, link);
        snprintf(r->name, sizeof(r->name), "%.31s", slash ? slash + 1 : link);
    }
}

static int list_links(struct fds *f, int pid)
{
    char path[64], link[512];
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *d = opendir(path);
    if (!d)
        return -errno;
    int e = 0;
    for (struct dirent *entry; !e && (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        ssize_t n = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);
        if (n <= 0)
            continue; // closed meanwhile
        link[n] = '\0';
        struct fd_row *r = fds_add(f);
        if (!r) {
            e = -ENOMEM;
            break;
        }
        r->fd = atoi(entry->d_name);
        read_link(r, dirfd(d), entry->d_name, link);
    }
    closedir(d);
    return e;
}

static int by_inode(const void *a, const void *b)
{
    const struct fd_row *x = *(struct fd_row *const *)a, *y = *(struct fd_row *const *)b;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

struct socket_index {
    struct fd_row **rows;
    int n;
};

static struct fd_row *find(const struct socket_index *x, uint64_t inode)
{
    struct fd_row key = {.inode = inode}, *pointer = &key;
    struct fd_row **found = bsearch(&pointer, x->rows, (size_t)x->n, sizeof(*x->rows), by_inode);
    return found ? *found : NULL;
}

// "0100007F:1F90" or 32 hex digits: words in host order, then the port.
static void parse_address(const char *text, uint8_t *to, int *port)
{
    size_t n = strcspn(text, ":");
    for (size_t i = 0; i < 4 && (i + 1) * 8 <= n; i++) {
        char hex[9] = {0};
        memcpy(hex, text + i * 8, 8);
        uint32_t word = (uint32_t)strtoul(hex, NULL, 16);
        memcpy(to + i * 4, &word, 4);
    }
    *port = text[n] ? (int)strtoul(text + n + 1, NULL, 16) & 0xffff : 0;
}

static void inet_line(const struct socket_index *x, const char *line, bool tcp, int family)
{
    char local[80], remote[80];
    unsigned state, unread;
    unsigned long long inode;
    if (sscanf(line, " %*d: %79s %79s %x %*8x:%x %*s %*s %*u %*u %llu", local, remote, &state,
               &unread, &inode) != 5)
        return;
    struct fd_row *r = find(x, inode);
    if (!r)
        return;
    r->kind = !tcp ? FD_UDP : state == TCP_LISTEN ? FD_LISTENER : FD_TCP;
    r->family = family;
    r->state = (int)state;
    if (r->kind == FD_TCP)
        r->unread = unread;
    parse_address(local, r->local, &r->local_port);
    parse_address(remote, r->remote, &r->remote_port);
}

static void unix_line(const struct socket_index *x, const char *line)
{
    unsigned long long inode;
    if (sscanf(line, "%*s %*s %*s %*s %*s %*s %llu", &inode) != 1)
        return;
    struct fd_row *r = find(x, inode);
    if (!r)
        return;
    r->kind = FD_UNIX;
    r->family = AF_UNIX;
}

static void read_table(const struct socket_index *x, int pid, const char *name)
{
    char path[64], line[512];
    bool tcp = strncmp(name, "tcp", 3) == 0, unix_ = strcmp(name, "unix") == 0;
    int family = name[3] == '6' ? AF_INET6 : AF_INET;
    snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    for (int i = 0; i < LINES_MAX && fgets(line, sizeof(line), file); i++) {
        if (unix_)
            unix_line(x, line);
        else
            inet_line(x, line, tcp, family);
    }
    fclose(file);
}

static int read_sockets(struct fds *f, int pid)
{
    static const char *const tables[] = {"tcp", "tcp6", "udp", "udp6", "unix"};
    struct socket_index x = {.rows = calloc((size_t)f->nrows + 1, sizeof(*x.rows))};
    if (!x.rows)
        return -ENOMEM;
    for (int i = 0; i < f->nrows; i++)
        if (f->rows[i].kind == FD_SOCKET)
            x.rows[x.n++] = &f->rows[i];
    qsort(x.rows, (size_t)x.n, sizeof(*x.rows), by_inode);
    for (size_t i = 0; x.n && i < sizeof(tables) / sizeof(*tables); i++)
        read_table(&x, pid, tables[i]);
    free(x.rows);
    return 0;
}

int fds_proc_list(struct fds *f, int pid)
{
    int e = list_links(f, pid);
    return e ? e : read_sockets(f, pid);
}
