#include "procfs.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_task_file(int pid, int tid, const char *name, char *to, int size)
{
    char path[64];
    if (tid)
        snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", pid, tid, name);
    else
        snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int n = proc_read(path, to, size);
    return n == -ENOENT ? -ESRCH : n;
}

int64_t proc_voluntary_switches(int pid, int tid)
{
    char text[4096];
    int n = read_task_file(pid, tid, "status", text, sizeof(text));
    if (n < 0)
        return n;
    const char *line = strstr(text, "\nvoluntary_ctxt_switches:");
    return line ? atoll(strchr(line, ':') + 1) : -EPROTO;
}

int proc_parse_syscall(const char *text, struct proc_syscall *ret)
{
    *ret = (struct proc_syscall){.nr = -1};
    if (!strncmp(text, "running", 7)) {
        ret->running = true;
        return 0;
    }
    uint64_t *a = ret->args;
    int n = sscanf(text,
                   "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
                   " %" SCNx64 " %" SCNx64,
                   &ret->nr, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5], &ret->sp, &ret->pc);
    if (n == 9)
        return 0;
    if (n < 1 || ret->nr != -1 || sscanf(text, "-1 %" SCNx64 " %" SCNx64, &ret->sp, &ret->pc) != 2)
        return -EPROTO;
    memset(ret->args, 0, sizeof(ret->args));
    return 0;
}

int proc_parse_schedstat(const char *text, struct proc_schedstat *ret)
{
    int n = sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &ret->cpu_ns, &ret->run_delay_ns,
                   &ret->slices);
    return n == 3 ? 0 : -EPROTO;
}

int proc_each_thread(int pid, int (*each)(void *arg, int tid), void *arg)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? -ESRCH : -errno;
    int stop = 0;
    struct dirent *entry;
    while (!stop && (entry = readdir(dir))) {
        int tid = atoi(entry->d_name);
        if (tid > 0)
            stop = each(arg, tid);
    }
    closedir(dir);
    return stop;
}

bool proc_is_32bit(int pid)
{
    char path[64];
    unsigned char ident[EI_NIDENT] = {0};
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, ident, sizeof(ident));
    close(fd);
    return n == sizeof(ident) && !memcmp(ident, ELFMAG, SELFMAG) && ident[EI_CLASS] == ELFCLASS32;
}
