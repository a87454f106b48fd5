#include "opener.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "inside.h"
#include "maps.h"

// O_NONBLOCK: a FIFO in the place of a file must not hang us.
#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

static int regular_only(int fd)
{
    struct stat st;
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return -ENOENT;
    }
    return fd;
}

static int open_root(int pid)
{
    char root[64];
    snprintf(root, sizeof(root), "/proc/%d/root", pid);
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

// Symbolic links of a container are followed inside the container, not in our root.
static int open_in_root_of(int pid, const char *path)
{
    int root = open_root(pid);
    if (root < 0)
        return root;
    int fd = open_inside(root, path, OPEN_FLAGS);
    close(root);
    if (fd < 0)
        return fd;
    return regular_only(fd);
}

static bool is_file_of(int fd, const struct mapping *m)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_ino != m->inode)
        return false;
    // btrfs and overlayfs show another device in maps than stat gives: there the inode must do.
    uint64_t device = (uint64_t)major(st.st_dev) << 32 | minor(st.st_dev);
    return device == m->device || major(st.st_dev) == 0 || m->device >> 32 == 0;
}

static int open_path_of(int pid, const struct mapping *m)
{
    if (m->path[0] != '/' || m->deleted)
        return -ENOENT;
    int fd = open_in_root_of(pid, m->path);
    if (fd >= 0 && is_file_of(fd, m))
        return fd;
    if (fd >= 0)
        close(fd);
    fd = regular_only(open(m->path, OPEN_FLAGS));
    if (fd >= 0 && !is_file_of(fd, m)) {
        close(fd);
        return -ESTALE;
    }
    return fd;
}

// Without CAP_CHECKPOINT_RESTORE map_files cannot be followed; then by path, compared with the inode.
static int open_mapping(const struct file_wish *w)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", w->pid,
             (unsigned long long)w->start, (unsigned long long)w->end);
    int fd = regular_only(open(path, OPEN_FLAGS));
    if (fd >= 0)
        return fd;
    snprintf(path, sizeof(path), "/proc/%d/maps", w->pid);
    int maps_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (maps_fd < 0)
        return -errno;
    struct maps maps;
    int err = maps_read(&maps, maps_fd);
    close(maps_fd);
    if (err < 0)
        return err;
    const struct mapping *m = maps_find(&maps, w->start);
    fd = m && m->start == w->start ? open_path_of(w->pid, m) : -ENOENT;
    maps_free(&maps);
    return fd;
}

static int open_debug(const struct file_wish *w)
{
    size_t n = strnlen(w->build_id, sizeof(w->build_id));
    if (n < 8 || n >= sizeof(w->build_id) || strspn(w->build_id, "0123456789abcdef") != n)
        return -EINVAL;
    char path[160];
    snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", w->build_id,
             w->build_id + 2);
    int fd = open_in_root_of(w->pid, path);
    return fd >= 0 ? fd : regular_only(open(path, OPEN_FLAGS));
}

// The pid as the process itself sees it: the last of NSpid.
static int pid_inside(int pid)
{
    char path[64], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pid;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    char *line = strstr(text, "\nNSpid:");
    if (!line)
        return pid;
    line += 7;
    int last = pid;
    for (char *end; *line && *line != '\n'; line = end) {
        long v = strtol(line, &end, 10);
        if (end == line)
            break;
        last = (int)v;
    }
    return last;
}

// Anybody may put a file into /tmp: only the process's own user is believed.
static int open_perf_map(const struct file_wish *w)
{
    char path[64];
    struct stat file, proc;
    snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid_inside(w->pid));
    int fd = open_in_root_of(w->pid, path);
    if (fd < 0)
        return fd;
    snprintf(path, sizeof(path), "/proc/%d", w->pid);
    if (fstat(fd, &file) != 0 || stat(path, &proc) != 0 ||
        (file.st_uid != proc.st_uid && file.st_uid != 0)) {
        close(fd);
        return -EPERM;
    }
    return fd;
}

// The kernel's words to the program: pairs of the program's own word size.
static uint64_t entry_of(int pid)
{
    char path[64];
    union {
        uint64_t wide[64][2];
        uint32_t narrow[128][2];
    } auxv;
    snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, &auxv, sizeof(auxv));
    close(fd);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof(*auxv.wide); i++)
        if (auxv.wide[i][0] == AT_ENTRY)
            return auxv.wide[i][1];
    for (ssize_t i = 0; i < n / (ssize_t)sizeof(*auxv.narrow); i++)
        if (auxv.narrow[i][0] == AT_ENTRY)
            return auxv.narrow[i][1];
    return 0;
}

static int open_of(int pid, const char *what)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int cannot_open(int pid, int failed, struct error *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d", pid);
    const char *why = strerror(-failed);
    if (failed == -ENOENT || failed == -ESRCH)
        why = access(path, F_OK) != 0 ? "no such process" : "it is a kernel thread, or has ended";
    error_set(err, STATUS_NO_ATTACH, -failed, "cannot read the memory of process %d: %s", pid, why);
    if (failed == -EACCES || failed == -EPERM)
        error_hint(err, "run as the user of the process, as root, or with CAP_SYS_PTRACE");
    return failed;
}

int open_process_files(int pid, struct process_files *ret, struct error *err)
{
    *ret = (struct process_files){.mem_fd = open_of(pid, "mem"), .maps_fd = open_of(pid, "maps")};
    int failed = ret->mem_fd < 0 ? ret->mem_fd : ret->maps_fd < 0 ? ret->maps_fd : 0;
    if (failed) {
        close_process_files(ret);
        return cannot_open(pid, failed, err);
    }
    ret->entry = entry_of(pid);
    return 0;
}

void close_process_files(struct process_files *f)
{
    if (f->mem_fd >= 0)
        close(f->mem_fd);
    if (f->maps_fd >= 0)
        close(f->maps_fd);
    f->mem_fd = f->maps_fd = -1;
}

int open_file_wish(const struct file_wish *w)
{
    switch (w->kind) {
    case WISH_MAPPING: return open_mapping(w);
    case WISH_DEBUG: return open_debug(w);
    case WISH_PERF_MAP: return open_perf_map(w);
    }
    return -EINVAL;
}
