// No descriptors and no tracker: what is told of them is tested by histories.
#include <errno.h>

#include "agent/probe/fd_track.h"
#include "agent/probe/fds.h"
#include "agent/probe/probe.h"

int probe_also_poll(struct probe *p, int fd)
{
    (void)p, (void)fd;
    return 0;
}

int fds_open(struct fds **ret, bool proc, struct error *err)
{
    (void)ret, (void)proc, (void)err;
    return -ENOSYS;
}

const char *fds_source(struct fds *f)
{
    (void)f;
    return "/proc";
}

void fds_close(struct fds *f)
{
    (void)f;
}

int fds_list(struct fds *f, int pid, const struct fd_row **rows)
{
    (void)f, (void)pid, (void)rows;
    return -ENOSYS;
}

const char *fd_kind_name(enum fd_kind kind)
{
    return kind == FD_TCP ? "tcp" : kind == FD_LISTENER ? "listener" : "file";
}

const char *fd_state_name(const struct fd_row *row)
{
    (void)row;
    return NULL;
}

const char *fd_address(const struct fd_row *row, bool remote, char *buf, size_t size)
{
    (void)row, (void)remote;
    if (size)
        buf[0] = '\0';
    return buf;
}

int fd_track_start(struct fd_track_start **ret, const struct fd_track_config *config)
{
    (void)ret, (void)config;
    return -ENOSYS;
}

int fd_track_started(struct fd_track_start *s, struct fd_track **ret, fd_opening_cb cb, void *arg,
                     struct error *err)
{
    (void)s, (void)ret, (void)cb, (void)arg, (void)err;
    return -ENOSYS;
}

enum fd_track_source fd_track_in_use(const struct fd_track *t)
{
    (void)t;
    return FD_TRACK_BEST;
}

void fd_track_give_up(struct fd_track_start *s)
{
    (void)s;
}

bool fd_track_has_handles(const struct fd_track *t)
{
    (void)t;
    return false;
}

void fd_track_list_handles(struct fd_track *t, fd_handle_cb cb, void *arg)
{
    (void)t, (void)cb, (void)arg;
}

void fd_track_frames(struct fd_track *t, int tid, uint64_t thread, const struct ls_fd_place *place)
{
    (void)t, (void)tid, (void)thread, (void)place;
}

void fd_track_tasks(struct fd_track *t, int tid, const struct ls_fd_tasks *tasks)
{
    (void)t, (void)tid, (void)tasks;
}

void fd_track_close(struct fd_track *t)
{
    (void)t;
}

uint64_t fd_track_settle(struct fd_track *t)
{
    (void)t;
    return 0;
}

int fd_track_fd(struct fd_track *t)
{
    (void)t;
    return -1;
}

void fd_track_dispatch(struct fd_track *t)
{
    (void)t;
}

bool fd_track_slot(struct fd_track *t, int fd, uint64_t file, struct fd_slot *ret)
{
    (void)t, (void)fd, (void)file, (void)ret;
    return false;
}

bool fd_track_counts(struct fd_track *t, unsigned int key, uint64_t *opened, uint64_t *closed)
{
    (void)t, (void)key, (void)opened, (void)closed;
    return false;
}
