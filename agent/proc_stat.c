#include "proc_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int proc_read(const char *path, char *to, int size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, to, (size_t)size - 1);
    int err = errno;
    close(fd);
    if (n < 0)
        return -err;
    to[n] = '\0';
    return (int)n;
}

int proc_parse_stat(char *text, struct proc_stat *ret)
{
    // The name may hold anything, brackets and spaces too: it ends at the last one.
    char *name = strchr(text, '('), *end = strrchr(text, ')');
    if (!name || !end || end < name || end[1] != ' ')
        return -EPROTO;
    *end = '\0';
    *ret = (struct proc_stat){0};
    snprintf(ret->comm, sizeof(ret->comm), "%s", name + 1);
    // Fields 3 to 28 of proc(5).
    int n = sscanf(end + 2,
                   "%c %d %*d %*d %*d %*d %" SCNu32 " %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                   " %*d %*d %*d %*d %d %*d %" SCNu64 " %*u %*d %*u %*u %*u %" SCNu64,
                   &ret->state, &ret->ppid, &ret->flags, &ret->utime, &ret->stime, &ret->threads,
                   &ret->start_time, &ret->start_stack);
    if (n != 8)
        return -EPROTO;
    uint64_t tick_ns = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);
    ret->utime *= tick_ns;
    ret->stime *= tick_ns;
    return 0;
}

int proc_stat(int pid, int tid, struct proc_stat *ret)
{
    char path[64], text[1024];
    if (tid)
        snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
    else
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int n = proc_read(path, text, sizeof(text));
    if (n < 0)
        return n == -ENOENT ? -ESRCH : n;
    return proc_parse_stat(text, ret);
}
