// Tables: ranges closed at once, shared, copied and replaced ones; and calls that must change nothing.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2u
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif
#define NOT_KEPT_FROM 600 // what dup2 has put there

static int close_ranges(unsigned from, unsigned to, unsigned flags)
{
    return (int)syscall(SYS_close_range, from, to, flags);
}

static int close_kept(void)
{
    int fd = take_kept();
    return fd < 0 ? 0 : close(fd);
}

static int by_close_range(void)
{
    int kept = any_kept(), from = kept < 3 ? NOT_KEPT_FROM : kept, to = from + (int)chance(4);
    for (int fd = from; fd <= to; fd++)
        if (is_ring(fd))
            return -1;
    forget_kept(from, to);
    return close_ranges((unsigned)from, (unsigned)to, 0);
}

static int close_range_at_exec(void)
{
    return close_ranges(NOT_KEPT_FROM, NOT_KEPT_FROM + 100, CLOSE_RANGE_CLOEXEC);
}

static int waited_for(pid_t pid)
{
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return pid > 0 ? 0 : -1;
}

static void childs_life(void)
{
    for (int i = 0; i < 20; i++) {
        int fd = open("/dev/null", O_RDONLY);
        if (coin())
            close(fd);
    }
    if (coin())
        close_ranges(3, ~0u, CLOSE_RANGE_UNSHARE);
    _exit(0);
}

static int by_fork(void)
{
    pid_t pid = fork();
    if (pid == 0)
        childs_life();
    return waited_for(pid);
}

static int by_vfork(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    return waited_for(pid);
}

static int by_popen(void)
{
    FILE *f = popen("exit 0", "r");
    return f ? pclose(f) : -1;
}

static int clones_pidfd(void)
{
    int pidfd = -1;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0);
    if (pid == 0)
        _exit(0);
    waited_for(pid);
    return keep(pidfd);
}

static void *unshare_table(void *arg)
{
    unshare(CLONE_FILES);
    for (int i = 0; i < 5; i++) {
        int fd = open("/dev/null", O_RDONLY);
        if (i % 2)
            close(fd);
    }
    usleep(3000);
    return arg;
}

static void *unshare_by_close_range(void *arg)
{
    close_ranges(3, 200, CLOSE_RANGE_UNSHARE);
    if (open("/dev/null", O_RDONLY) >= 0) // in a table of its own, which ends with it
        usleep(2000);
    return arg;
}

// A thread with a table of its own; now and then, as it takes long.
static int thread_that(void *(*body)(void *))
{
    pthread_t thread;
    if (chance(4) != 0)
        return 0;
    return pthread_create(&thread, NULL, body, NULL) ? -1 : pthread_join(thread, NULL);
}

static int by_unshare(void)
{
    return thread_that(unshare_table);
}

static int close_range_unshare(void)
{
    return thread_that(unshare_by_close_range);
}

static int refuse(int fd)
{
    return fd < 0 ? 0 : -1;
}

// The limit is every thread's.
static int at_the_limit(void)
{
    struct rlimit before, none;
    int two[2];
    if (has_threads())
        return 0;
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    int refused = refuse(open("/dev/null", O_RDONLY)) | refuse(pipe(two)) |
                  refuse(socket(AF_INET, SOCK_STREAM, 0));
    setrlimit(RLIMIT_NOFILE, &before);
    return refused;
}

static int that_fail(void)
{
    int *volatile nowhere =
        (int *)8; // the kernel has made the two when it finds that it cannot tell
    return refuse(pipe(nowhere)) | refuse(close(-1)) | refuse(close(123456)) |
           refuse(dup2(any_kept(), -1)) | refuse(dup2(99999, 5)) | refuse(open("/nope", O_RDONLY)) |
           refuse(socket(999, 1, 1));
}

const struct way process_ways[] = {
    {"close", close_kept},
    {"close_range", by_close_range},
    {"CLOSE_RANGE_CLOEXEC", close_range_at_exec},
    {"fork", by_fork},
    {"vfork and exec", by_vfork},
    {"popen", by_popen},
    {"CLONE_PIDFD", clones_pidfd},
    {"unshare", by_unshare},
    {"CLOSE_RANGE_UNSHARE", close_range_unshare},
    {"at the limit", at_the_limit},
    {"calls that fail", that_fail},
    {0},
};
