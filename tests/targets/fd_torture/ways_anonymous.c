// Pipes and the kernel's objects without a path.
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "torture.h"

// The calls of old, where the machine has them: the C library may use the newer ones.
static int old_pipe(void)
{
#ifdef SYS_pipe
    int two[2];
    return keep_two((int)syscall(SYS_pipe, two), two);
#else
    return -1;
#endif
}

static int old_epoll(void)
{
#ifdef SYS_epoll_create
    return keep((int)syscall(SYS_epoll_create, 5));
#else
    return -1;
#endif
}

static int old_eventfd(void)
{
#ifdef SYS_eventfd
    return keep((int)syscall(SYS_eventfd, 0));
#else
    return -1;
#endif
}

static int old_inotify(void)
{
#ifdef SYS_inotify_init
    return keep((int)syscall(SYS_inotify_init));
#else
    return -1;
#endif
}

static int by_pipe2(void)
{
    int two[2];
    return keep_two(pipe2(two, O_CLOEXEC), two);
}

static int by_epoll_create1(void)
{
    return keep(epoll_create1(EPOLL_CLOEXEC));
}

static int by_eventfd(void)
{
    return keep(eventfd(0, EFD_CLOEXEC));
}

static int by_timerfd(void)
{
    return keep(timerfd_create(CLOCK_MONOTONIC, 0));
}

static int by_signalfd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    int fd = keep(signalfd(-1, &set, 0));
    if (fd >= 0)
        signalfd(fd, &set, 0); // of the one there is: no new one
    return fd;
}

static int by_inotify_init1(void)
{
    return keep(inotify_init1(0));
}

static int by_memfd(void)
{
    return keep(memfd_create("x", 0));
}

static int secret_memfd(void)
{
    return keep((int)syscall(SYS_memfd_secret, 0));
}

static int by_pidfd_open(void)
{
    return keep((int)syscall(SYS_pidfd_open, getpid(), 0));
}

static int by_perf_event_open(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof(attr),
                                   .config = PERF_COUNT_SW_TASK_CLOCK,
                                   .disabled = 1};
    return keep((int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

static int bpf_map(void)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.map_type = BPF_MAP_TYPE_ARRAY;
    attr.key_size = attr.value_size = 4;
    attr.max_entries = 1;
    return keep((int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int by_userfaultfd(void)
{
    return keep((int)syscall(SYS_userfaultfd, O_CLOEXEC));
}

static int message_queue(void)
{
    struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = 8};
    return keep(mq_open("/fd_torture", O_CREAT | O_RDWR, 0600, &attr));
}

static int landlock_rules(void)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = 1};
    return keep((int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0));
}

static int io_uring(void)
{
    struct io_uring_params params;
    memset(&params, 0, sizeof(params));
    return keep((int)syscall(SYS_io_uring_setup, 4, &params));
}

// The descriptor comes by a read, of the watcher or of a copy of it.
static int fanotify_event(void)
{
    struct fanotify_event_metadata events[8];
    int watcher = keep(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY)), newest = -1;
    if (watcher < 0 || fanotify_mark(watcher, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "/etc/hostname"))
        return -1;
    close(open("/etc/hostname", O_RDONLY));
    int n = (int)read(coin() ? watcher : keep(dup(watcher)), events, sizeof(events)) /
            (int)sizeof(*events);
    for (int i = 0; i < n; i++)
        if (events[i].fd >= 0)
            newest = keep(events[i].fd);
    return newest;
}

const struct way anonymous_ways[] = {
    {"pipe", old_pipe},
    {"pipe2", by_pipe2},
    {"epoll_create", old_epoll},
    {"epoll_create1", by_epoll_create1},
    {"eventfd", old_eventfd},
    {"eventfd2", by_eventfd},
    {"timerfd_create", by_timerfd},
    {"signalfd", by_signalfd},
    {"inotify_init", old_inotify},
    {"inotify_init1", by_inotify_init1},
    {"memfd_create", by_memfd},
    {"memfd_secret", secret_memfd},
    {"pidfd_open", by_pidfd_open},
    {"perf_event_open", by_perf_event_open},
    {"bpf", bpf_map},
    {"userfaultfd", by_userfaultfd},
    {"mq_open", message_queue},
    {"landlock_create_ruleset", landlock_rules},
    {"io_uring_setup", io_uring},
    {"fanotify", fanotify_event},
    {0},
};
