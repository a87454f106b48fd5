// Files, on the thread pool. A call that was interrupted while it ran returns what it did: nothing is lost, and the
// interrupt is told at the next await point.
#include "io.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct call {
    const char *path, *to;
    int fd, flags, mode;
    char *buffer;
    const char *data;
    size_t size;
    int64_t offset;
    struct stat *stat;
};

// held: it must happen whatever befalls the task.
static int64_t on_pool(struct ls_site *site, const char *name, ls_fn fn, struct call *c,
                       int64_t timeout_ns, bool held)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, name);
    struct work w = {.fn = fn, .arg = c};
    struct wait wait = {.kind = LS_ABI_WAIT_FILE,
                        .object = c->fd > 0 ? (uint64_t)c->fd : 0,
                        .site = site,
                        .timeout_ns = timeout_ns,
                        .held = held};
    int r = ls__work(&w, t, &wait);
    return r < 0 ? r : w.result;
}

static int64_t or_errno(int64_t r)
{
    return r < 0 ? -errno : r;
}

// ---- open and close ----

static int64_t run_open(void *arg)
{
    const struct call *c = arg;
    int fd;
    do
        fd = open(c->path, c->flags | O_CLOEXEC, c->mode);
    while (fd < 0 && errno == EINTR); // a FIFO's open may sleep
    return or_errno(fd);
}

int ls_file_open_at(struct ls_site *site, const char *path, int flags, int mode, int64_t timeout_ns)
{
    struct call c = {.path = path, .flags = flags, .mode = mode};
    int fd = (int)on_pool(site, "ls_file_open", run_open, &c, timeout_ns, false);
    if (fd < 0)
        return fd;
    int r = ls_own_fd_at(NULL, fd);
    if (r < 0)
        close(fd);
    return r;
}

static int64_t run_close(void *arg)
{
    return or_errno(close(((const struct call *)arg)->fd));
}

int ls_file_close_at(struct ls_site *site, int fd)
{
    struct call c = {.fd = fd};
    if (fd < 0)
        return -EBADF;
    if (task_current())
        ls_disown_fd_at(NULL, fd);
    return (int)on_pool(site, "ls_file_close", run_close, &c, LS_FOREVER, true);
}

// ---- read and write ----

static int64_t run_read(void *arg)
{
    const struct call *c = arg;
    ssize_t n;
    do
        n = c->offset < 0 ? read(c->fd, c->buffer, c->size)
                          : pread(c->fd, c->buffer, c->size, c->offset);
    while (n < 0 && errno == EINTR);
    return or_errno(n);
}

ssize_t ls_file_read_at(struct ls_site *site, int fd, void *buffer, size_t size, int64_t offset,
                        int64_t timeout_ns)
{
    struct call c = {.fd = fd, .buffer = buffer, .size = size, .offset = offset};
    return on_pool(site, "ls_file_read", run_read, &c, timeout_ns, false);
}

static int64_t run_write(void *arg)
{
    const struct call *c = arg;
    size_t done = 0;
    while (done < c->size) {
        ssize_t n = c->offset < 0
                        ? write(c->fd, c->data + done, c->size - done)
                        : pwrite(c->fd, c->data + done, c->size - done, c->offset + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return (int64_t)done;
}

ssize_t ls_file_write_at(struct ls_site *site, int fd, const void *data, size_t size,
                         int64_t offset, int64_t timeout_ns)
{
    struct call c = {.fd = fd, .data = data, .size = size, .offset = offset};
    return on_pool(site, "ls_file_write", run_write, &c, timeout_ns, false);
}

static int64_t run_sync(void *arg)
{
    return or_errno(fsync(((const struct call *)arg)->fd));
}

int ls_file_sync_at(struct ls_site *site, int fd, int64_t timeout_ns)
{
    struct call c = {.fd = fd};
    return (int)on_pool(site, "ls_file_sync", run_sync, &c, timeout_ns, false);
}

// ---- names ----

static int64_t run_stat(void *arg)
{
    const struct call *c = arg;
    return or_errno(stat(c->path, c->stat));
}

int ls_file_stat_at(struct ls_site *site, const char *path, struct stat *ret, int64_t timeout_ns)
{
    struct call c = {.path = path, .stat = ret};
    return (int)on_pool(site, "ls_file_stat", run_stat, &c, timeout_ns, false);
}

static int64_t run_unlink(void *arg)
{
    return or_errno(unlink(((const struct call *)arg)->path));
}

int ls_file_unlink_at(struct ls_site *site, const char *path, int64_t timeout_ns)
{
    struct call c = {.path = path};
    return (int)on_pool(site, "ls_file_unlink", run_unlink, &c, timeout_ns, false);
}

static int64_t run_rename(void *arg)
{
    const struct call *c = arg;
    return or_errno(rename(c->path, c->to));
}

int ls_file_rename_at(struct ls_site *site, const char *from, const char *to, int64_t timeout_ns)
{
    struct call c = {.path = from, .to = to};
    return (int)on_pool(site, "ls_file_rename", run_rename, &c, timeout_ns, false);
}

// ---- a whole file ----

static int64_t run_size(void *arg)
{
    const struct call *c = arg;
    return or_errno(fstat(c->fd, c->stat));
}

static int64_t run_fill(void *arg) // until the buffer is full or the file ends
{
    struct call *c = arg, part = *c;
    while (part.size > 0) {
        int64_t n = run_read(&part);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        part.buffer += n;
        part.size -= (size_t)n;
    }
    return (int64_t)(c->size - part.size);
}

// Room for one byte more than is expected tells whether the file is longer; the last byte becomes the NUL.
static ssize_t read_whole(struct ls_site *site, struct call *c, char **ret, size_t room, size_t max,
                          int64_t until)
{
    size_t length = 0;
    char *text = ls_alloc(room + 1);
    while (text) {
        c->buffer = text + length;
        c->size = room + 1 - length;
        int64_t n = on_pool(site, "ls_file_slurp", run_fill, c, span_left(until), false);
        if (n < 0 || (size_t)n < c->size) {
            *ret = text;
            length += n < 0 ? 0 : (size_t)n;
            text[length] = 0;
            return n < 0 ? n : (ssize_t)length;
        }
        length += (size_t)n;
        *ret = text;
        if (length > max)
            return -EFBIG;
        room = room > max / 2 ? max : room * 2 + 4096;
        text = ls_alloc(room + 1);
        if (text)
            memcpy(text, *ret, length);
        ls_free(*ret);
        *ret = NULL;
    }
    return -ENOMEM;
}

ssize_t ls_file_slurp_at(struct ls_site *site, const char *path, char **ret, size_t max,
                         int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    struct stat st;
    *ret = NULL;
    int fd = ls_file_open_at(site, path, O_RDONLY, 0, timeout_ns);
    if (fd < 0)
        return fd;
    struct call c = {.fd = fd, .offset = -1, .stat = &st};
    ssize_t r = on_pool(site, "ls_file_slurp", run_size, &c, span_left(until), false);
    if (r == 0 && (size_t)st.st_size > max)
        r = -EFBIG;
    if (r == 0)
        r = read_whole(site, &c, ret, st.st_size > 0 ? (size_t)st.st_size : 4096, max, until);
    ls_file_close_at(site, fd);
    if (r < 0) {
        ls_free(*ret);
        *ret = NULL;
    }
    return r;
}
