#include "match.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procfs.h"
#include "procs.h"
#include "trust.h"

#define FDS_LOOKED_AT 512

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool match_name(int pid, const char *glob)
{
    char buf[PATH_MAX], script[256];
    if (procfs_comm(pid, pid, buf, sizeof(buf)) == 0 && fnmatch(glob, buf, 0) == 0)
        return true;
    ssize_t n = procfs_link(buf, sizeof(buf), "/proc/%d/exe", pid);
    if (n > 10 && strcmp(buf + n - 10, " (deleted)") == 0)
        buf[n - 10] = '\0';
    if (n > 0 && fnmatch(glob, base_of(buf), 0) == 0)
        return true;
    n = procfs_read(buf, sizeof(buf), "/proc/%d/cmdline", pid);
    for (ssize_t i = 0; i + 1 < n; i++)
        if (!buf[i])
            buf[i] = ' ';
    return n > 0 && script_name(buf, script, sizeof(script)) && fnmatch(glob, script, 0) == 0;
}

// The path of cgroup v2, else of the first hierarchy that has one below its root.
static bool cgroup_of(int pid, char *buf, size_t size)
{
    char text[8192];
    if (procfs_read(text, sizeof(text), "/proc/%d/cgroup", pid) <= 0)
        return false;
    buf[0] = '\0';
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *path = strchr(line, '/');
        bool v2 = strncmp(line, "0::", 3) == 0;
        if (path && (v2 || (!buf[0] && path[1])))
            snprintf(buf, size, "%s", path);
        if (v2 && path && path[1])
            break;
    }
    return buf[0] != '\0';
}

bool match_cgroup(int pid, const char *path)
{
    char own[PATH_MAX];
    static const char mount[] = "/sys/fs/cgroup";
    if (strncmp(path, mount, sizeof(mount) - 1) == 0)
        path += sizeof(mount) - 1;
    size_t n = strlen(path);
    while (n > 0 && path[n - 1] == '/')
        n--;
    return cgroup_of(pid, own, sizeof(own)) && strncmp(own, path, n) == 0 &&
           (own[n] == '\0' || own[n] == '/');
}

bool match_unit(int pid, const char *unit)
{
    char own[PATH_MAX], name[256];
    if (!cgroup_of(pid, own, sizeof(own)))
        return false;
    snprintf(name, sizeof(name), "%s%s", unit, strchr(unit, '.') ? "" : ".service");
    for (char *part = strtok(own, "/"); part; part = strtok(NULL, "/"))
        if (fnmatch(name, part, 0) == 0)
            return true;
    return false;
}

struct loop_search {
    int pid, tried;
    bool found;
};

static bool look_at_fd(void *arg, int fd)
{
    struct loop_search *s = arg;
    char link[64];
    if (procfs_link(link, sizeof(link), "/proc/%d/fd/%d", s->pid, fd) > 0)
        s->found = strcmp(link, "anon_inode:[eventpoll]") == 0 ||
                   strcmp(link, "anon_inode:[io_uring]") == 0;
    return !s->found && ++s->tried < FDS_LOOKED_AT;
}

// A shell selects for its input: nobody's callbacks run there.
static bool is_shell(int pid)
{
    static const char *const shells[] = {"bash", "dash", "sh", "zsh", "ksh"};
    char exe[PATH_MAX];
    if (procfs_link(exe, sizeof(exe), "/proc/%d/exe", pid) <= 0)
        return false;
    for (size_t i = 0; i < sizeof(shells) / sizeof(*shells); i++)
        if (strcmp(base_of(exe), shells[i]) == 0)
            return true;
    return false;
}

bool match_has_loop(int pid)
{
    struct loop_search s = {.pid = pid};
    char folder[32];
    long nr;
    uint64_t args[6];
    if (is_shell(pid))
        return false;
    snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
    procfs_numbers(folder, look_at_fd, &s);
    if (s.found)
        return true;
    return procfs_syscall(pid, pid, &nr, args) == 0 && wait_of_syscall(nr) != WAIT_NONE;
}
