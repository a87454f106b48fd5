// The spawner's side: waits for orders and for the ends of what it started. It reads nothing else.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawner_internal.h"

#define MAX_CHILDREN 64

extern char **environ;

struct spawning {
    int fd;
    const struct spawn_program *program;
    int nchildren;
    pid_t children[MAX_CHILDREN];
};

// The agent's descriptors are not for what is started, and a listening socket held here would stay open. What the
// agent itself was given without close-on-exec is for the COMMAND.
static void close_the_agents(int keep)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *e;
    while (dir && (e = readdir(dir))) {
        int fd = atoi(e->d_name);
        int flags = fd > STDERR_FILENO && fd != keep && fd != dirfd(dir) ? fcntl(fd, F_GETFD) : 0;
        if (flags > 0 && (flags & FD_CLOEXEC))
            close(fd);
    }
    if (dir)
        closedir(dir);
}

static bool tell(const struct spawning *s, const struct reply *r)
{
    return send(s->fd, r, sizeof(*r), MSG_NOSIGNAL) == sizeof(*r);
}

static int prepare(const struct spawn_program *p, int fd, posix_spawn_file_actions_t *files,
                   posix_spawnattr_t *attr)
{
    sigset_t none, all;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigemptyset(&none);
    sigfillset(&all);
    int err = posix_spawnattr_setsigmask(attr, &none);
    if (!err)
        err = posix_spawnattr_setsigdefault(attr, &all);
    if (p->own_group)
        flags |= POSIX_SPAWN_SETPGROUP;
    if (!err)
        err = posix_spawnattr_setflags(attr, flags);
    if (!err && fd >= 0)
        err = posix_spawn_file_actions_adddup2(files, fd, p->fd);
    if (!err && p->out_to_err)
        err = posix_spawn_file_actions_adddup2(files, STDERR_FILENO, STDOUT_FILENO);
    return err;
}

static pid_t start(struct spawning *s, int fd)
{
    const struct spawn_program *p = s->program;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    pid_t pid;
    if (s->nchildren == MAX_CHILDREN || (fd >= 0) != (p->fd >= 0))
        return -EAGAIN;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    int err = prepare(p, fd, &files, &attr);
    if (!err)
        err = posix_spawnp(&pid, p->file, &files, &attr, p->argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    if (err)
        return -err;
    s->children[s->nchildren++] = pid;
    return pid;
}

static int find(const struct spawning *s, pid_t pid)
{
    for (int i = 0; i < s->nchildren; i++)
        if (s->children[i] == pid)
            return i;
    return -1;
}

// Not reaped yet: the number cannot be another's.
static int signal_own(const struct spawning *s, const struct order *o)
{
    if (find(s, o->pid) < 0)
        return -ESRCH;
    return kill(o->pid, o->number) == 0 ? 0 : -errno;
}

static bool obey(struct spawning *s)
{
    union one_descriptor control;
    struct order o;
    struct iovec body = {&o, sizeof(o)};
    struct msghdr m = {.msg_iov = &body, .msg_iovlen = 1};
    expect_descriptor(&m, &control);
    ssize_t n = recvmsg(s->fd, &m, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR)
        return true;
    if (n != sizeof(o))
        return false; // the agent is gone
    int fd = take_descriptor(&m);
    struct reply r = {.kind = REPLY_DONE, .pid = -EINVAL};
    switch (o.kind) {
    case ORDER_START: r.pid = start(s, fd); break;
    case ORDER_SIGNAL: r.pid = signal_own(s, &o); break;
    }
    if (fd >= 0)
        close(fd);
    return tell(s, &r);
}

static int64_t timeval_ns(struct timeval t)
{
    return t.tv_sec * 1000000000LL + t.tv_usec * 1000LL;
}

static bool reap(struct spawning *s)
{
    struct rusage used = {0};
    struct reply r = {.kind = REPLY_ENDED};
    while ((r.pid = wait4(-1, &r.end.status, WNOHANG, &used)) > 0) {
        int i = find(s, r.pid);
        if (i < 0)
            continue;
        s->children[i] = s->children[--s->nchildren];
        r.end.cpu_ns = timeval_ns(used.ru_utime) + timeval_ns(used.ru_stime);
        if (!tell(s, &r))
            return false;
    }
    return true;
}

void spawner_live(int fd, const struct spawn_program *program)
{
    struct spawning s = {.fd = fd, .program = program};
    struct signalfd_siginfo what;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGCHLD);
    close_the_agents(fd);
    int ended = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK); // all signals are blocked here
    if (ended < 0)
        _exit(1);
    prctl(PR_SET_NAME, "loopscope-start", 0, 0, 0);
    for (;;) {
        struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = ended, .events = POLLIN}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            break;
        if (p[1].revents & POLLIN) {
            while (read(ended, &what, sizeof(what)) > 0)
                ;
            if (!reap(&s))
                break;
        }
        if (p[0].revents && !obey(&s))
            break;
    }
    _exit(0);
}
