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

// Calls each(arg, controllers, path) for the process's place in every hierarchy (v2 has one, without
// controllers) until one says yes.
static bool any_cgroup(int pid, bool (*each)(const void *arg, const char *controllers, char *path),
                       const void *arg)
{
    char text[8192], *more = NULL;
    if (procfs_read(text, sizeof(text), "/proc/%d/cgroup", pid) <= 0)
        return false;
    for (char *line = strtok_r(text, "\n", &more); line; line = strtok_r(NULL, "\n", &more)) {
        const char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        if (each(arg, controllers + 1, path))
            return true;
    }
    return false;
}

static bool is_at_or_below(const char *path, const char *group, size_t n)
{
    while (n > 0 && group[n - 1] == '/')
        n--;
    return strncmp(path, group, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

// The folder below the mount: of v1 the controllers' name, or that of a hierarchy without any.
static size_t folder_of(const char *controllers, const char *group)
{
    static const char unified[] = "unified"; // v2 beside v1
    if (strncmp(controllers, "name=", 5) == 0)
        controllers += 5;
    else if (!*controllers)
        controllers = strncmp(group, unified, strlen(unified)) == 0 ? unified : "";
    size_t n = strlen(controllers);
    bool same = strncmp(group, controllers, n) == 0 && (!group[n] || group[n] == '/' || n == 0);
    return same ? n : SIZE_MAX;
}

// group is a path within the hierarchy, or the folder where that is mounted: /sys/fs/cgroup/CONTROLLER/PATH.
static bool in_group(const void *arg, const char *controllers, char *path)
{
    static const char mount[] = "/sys/fs/cgroup/";
    const char *group = arg;
    if (strncmp(group, mount, strlen(mount)) == 0) {
        group += strlen(mount);
        size_t n = folder_of(controllers, group);
        if (n == SIZE_MAX)
            return false;
        group += n;
        if (n == 0)
            group--; // the mount's own slash
    }
    return is_at_or_below(path, group, strlen(group));
}

bool match_cgroup(int pid, const char *path)
{
    return any_cgroup(pid, in_group, path);
}

static bool has_part(const void *name, const char *controllers, char *path)
{
    char *more = NULL;
    (void)controllers;
    for (char *part = strtok_r(path, "/", &more); part; part = strtok_r(NULL, "/", &more))
        if (fnmatch(name, part, 0) == 0)
            return true;
    return false;
}

bool match_unit(int pid, const char *unit)
{
    char name[256];
    snprintf(name, sizeof(name), "%s%s", unit, strchr(unit, '.') ? "" : ".service");
    return any_cgroup(pid, has_part, name);
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
    return procfs_syscall(pid, pid, &nr, args) == 0 && wait_kind_of(nr, args[2]) != WAIT_NONE;
}
