#include "procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t procfs_read(char *buf, size_t size, const char *fmt, ...)
{
    char path[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t used = 0;
    ssize_t n = 0;
    while (used < size - 1 && (n = read(fd, buf + used, size - 1 - used)) > 0)
        used += (size_t)n;
    int failed = n < 0 && used == 0 ? errno : 0;
    close(fd);
    buf[used] = '\0';
    return failed ? -failed : (ssize_t)used;
}

ssize_t procfs_link(char *buf, size_t size, const char *fmt, ...)
{
    char path[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    ssize_t n = readlink(path, buf, size - 1);
    if (n < 0)
        return -errno;
    buf[n] = '\0';
    return n;
}

int procfs_comm(int pid, int tid, char *buf, size_t size)
{
    ssize_t n = procfs_read(buf, size, "/proc/%d/task/%d/comm", pid, tid);
    if (n < 0) {
        buf[0] = '\0';
        return (int)n;
    }
    buf[strcspn(buf, "\n")] = '\0';
    return 0;
}

int procfs_syscall(int pid, int tid, long *ret_nr, uint64_t args[6])
{
    char buf[256];
    ssize_t n = procfs_read(buf, sizeof(buf), "/proc/%d/task/%d/syscall", pid, tid);
    if (n < 0)
        return (int)n;
    if (strncmp(buf, "running", 7) == 0)
        return -EAGAIN;
    unsigned long long a[6] = {0};
    if (sscanf(buf, "%ld %llx %llx %llx %llx %llx %llx", ret_nr, &a[0], &a[1], &a[2], &a[3], &a[4],
               &a[5]) < 1)
        return -EIO;
    for (int i = 0; i < 6; i++)
        args[i] = a[i];
    return 0;
}

long procfs_status_number(int pid, const char *key)
{
    char buf[4096];
    if (procfs_read(buf, sizeof(buf), "/proc/%d/status", pid) < 0)
        return -1;
    size_t n = strlen(key);
    for (char *line = buf; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) == 0 && line[n] == ':')
            return strtol(line + n + 1, NULL, 10);
    }
    return -1;
}

bool procfs_is_tgid(int pid, int *ret_tgid)
{
    *ret_tgid = (int)procfs_status_number(pid, "Tgid");
    return *ret_tgid == pid;
}

bool target_read(int pid, uint64_t address, void *buf, size_t size)
{
    struct iovec to = {buf, size}, from = {(void *)(uintptr_t)address, size};
    return process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)size;
}

bool target_string(int pid, uint64_t address, char *buf, size_t size)
{
    size_t used = 0;
    while (used < size - 1) {
        // Up to the end of a page at a time: the next one may not be mapped.
        size_t n = 4096 - (size_t)((address + used) & 4095);
        if (n > size - 1 - used)
            n = size - 1 - used;
        if (!target_read(pid, address + used, buf + used, n))
            break;
        used += n;
        if (memchr(buf + used - n, '\0', n))
            break;
    }
    buf[used] = '\0';
    return used > 0 && buf[0];
}

int procfs_numbers(const char *folder, bool (*each)(void *arg, int number), void *arg)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    struct dirent *e;
    bool more = true;
    while (more && (e = readdir(dir))) {
        char *end;
        long n = strtol(e->d_name, &end, 10);
        if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && !*end && n <= INT32_MAX)
            more = each(arg, (int)n);
    }
    closedir(dir);
    return 0;
}
