// The agent's side.
#include "opener.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "opener_internal.h"

#define PATIENCE_S 2 // for an answer that takes some 20 us

struct opener {
    int fd; // -1: it did not answer once
    pid_t pid;
};

int opener_open(struct opener **ret, opener_fn *open)
{
    int pair[2];
    struct opener *o = calloc(1, sizeof(*o));
    *ret = NULL;
    if (!o)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        free(o);
        return -errno;
    }
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before); // ^C at the terminal is for the agent
    o->fd = pair[0];
    o->pid = fork();
    int err = errno;
    if (o->pid == 0)
        opener_live(pair[1], open);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(pair[1]);
    if (o->pid < 0) {
        close(pair[0]);
        free(o);
        return -err;
    }
    *ret = o;
    return 0;
}

void opener_close(struct opener *o)
{
    if (!o)
        return;
    if (o->fd >= 0)
        close(o->fd);
    while (waitpid(o->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free(o);
}

pid_t opener_pid(const struct opener *o)
{
    return o->pid;
}

// An answer that comes late would be taken for the next one's.
static int give_up(struct opener *o)
{
    close(o->fd);
    o->fd = -1;
    return -EPIPE;
}

int opener_ask(struct opener *o, const struct opener_order *order)
{
    union one_descriptor control = {0};
    int result, fd = -1;
    struct iovec body = {&result, sizeof(result)};
    struct msghdr m = {.msg_iov = &body,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof(control.space)};
    ssize_t n;
    if (o->fd < 0)
        return -EPIPE;
    if (send(o->fd, order, sizeof(*order), MSG_NOSIGNAL) != sizeof(*order))
        return give_up(o);
    do
        n = recvmsg(o->fd, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != sizeof(result))
        return give_up(o);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(int));
    if (result < 0)
        return result;
    return fd >= 0 ? fd : -EMFILE; // the kernel could not put it into our table
}

static bool perf_can_be_used(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof(attr),
                                   .config = PERF_COUNT_SW_CPU_CLOCK,
                                   .exclude_kernel = 1,
                                   .disabled = 1};
    int fd = (int)syscall(SYS_perf_event_open, &attr, getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool opener_needed(void)
{
    if (capng_get_caps_process() != 0 || !capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) ||
        !perf_can_be_used())
        return false;
    capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, CAP_SYS_ADMIN);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return false;
    bool without = perf_can_be_used();
    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_SYS_ADMIN);
    return capng_apply(CAPNG_SELECT_CAPS) == 0 && !without;
}
