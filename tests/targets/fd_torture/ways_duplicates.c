// Duplicates, and descriptors that take another's place.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "torture.h"

static int by_dup(void)
{
    return keep(dup(any_kept()));
}

// High numbers, over what another thread has put there.
static int dup2_to_number(void)
{
    int fd = dup2(any_kept(), (int)(500 + chance(300)));
    return fd < 0 || is_kept(fd) ? fd : keep(fd);
}

static int dup2_over_kept(void)
{
    return dup2(any_kept(), any_kept()); // now and then onto itself
}

static int dup3_over_kept(void)
{
    int from = any_kept(), to = any_kept();
    return from == to ? -1 : dup3(from, to, O_CLOEXEC);
}

static int by_fcntl(void)
{
    return keep(fcntl(any_kept(), F_DUPFD, 100));
}

static int by_fcntl_cloexec(void)
{
    return keep(fcntl(any_kept(), F_DUPFD_CLOEXEC, 900 + chance(50)));
}

static int by_pidfd_getfd(void)
{
    int of = any_kept(), pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (pidfd < 0)
        return -1;
    int fd = (int)syscall(SYS_pidfd_getfd, pidfd, of < 0 ? 1 : of, 0);
    close(pidfd);
    return keep(fd);
}

const struct way duplicate_ways[] = {
    {"dup", by_dup},
    {"dup2", dup2_to_number},
    {"dup2 over an open one", dup2_over_kept},
    {"dup3 over an open one", dup3_over_kept},
    {"F_DUPFD", by_fcntl},
    {"F_DUPFD_CLOEXEC", by_fcntl_cloexec},
    {"pidfd_getfd", by_pidfd_getfd},
    {0},
};
