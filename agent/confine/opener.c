// The agent's side.
#include "opener.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "opener_internal.h"

#define PATIENCE_S 2 // for an answer that takes some 20 us

struct opener {
    int fd; // -1: it did not answer once
    pid_t pid;
};

int opener_open(struct opener **ret, opener_fn *open)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct opener *o = calloc(1, sizeof(*o));
    *ret = NULL;
    if (!o)
        return -ENOMEM;
    int r = side_fork(&o->fd, &o->pid);
    if (r > 0)
        opener_live(o->fd, open);
    if (r < 0) {
        free(o);
        return r;
    }
    setsockopt(o->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    *ret = o;
    return 0;
}

void opener_close(struct opener *o)
{
    if (o)
        side_end(o->fd, o->pid);
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
    int result;
    struct iovec body = {&result, sizeof(result)};
    struct msghdr m = {.msg_iov = &body, .msg_iovlen = 1};
    ssize_t n;
    if (o->fd < 0)
        return -EPIPE;
    if (send(o->fd, order, sizeof(*order), MSG_NOSIGNAL) != sizeof(*order))
        return give_up(o);
    expect_descriptor(&m, &control);
    do
        n = recvmsg(o->fd, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != sizeof(result))
        return give_up(o);
    int fd = take_descriptor(&m);
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
