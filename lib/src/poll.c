// Waiting for any descriptor. libuv takes one watcher a descriptor: tasks that wait for the same one share it.
#include "io.h"

#include <poll.h>
#include <stdlib.h>

struct poller {
    uv_poll_t poll;
    struct list link; // in the thread's pollers
    struct list waiters;
    int fd, armed;
};

struct poll_wait { // on the waiting task's stack
    struct list link;
    struct poller *poller;
    struct task *task;
    int events, got;
};

#define BUCKETS 64
static __thread struct list pollers[BUCKETS]; // of this thread's loop, by descriptor

static struct list *bucket(int fd)
{
    struct list *b = &pollers[(unsigned)fd % BUCKETS];
    if (!b->next)
        list_init(b);
    return b;
}

static struct poller *find_poller(int fd)
{
    struct list *b = bucket(fd);
    for (struct list *node = b->next; node != b; node = node->next) {
        struct poller *p = list_entry(node, struct poller, link);
        if (p->fd == fd)
            return p;
    }
    return NULL;
}

static int new_poller(struct poller **ret, int fd)
{
    struct poller *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    int r = uv_poll_init(ls__loop->uv, &p->poll, fd);
    if (r < 0) {
        free(p);
        return r;
    }
    uv_unref((uv_handle_t *)&p->poll);
    p->fd = fd;
    list_init(&p->waiters);
    list_add_tail(bucket(fd), &p->link);
    *ret = p;
    return 0;
}

static void free_poller(uv_handle_t *handle)
{
    free(list_entry(handle, struct poller, poll));
}

static void on_poll(uv_poll_t *poll, int status, int events);

// Watches for what is still waited for; nothing: it is over.
static int rearm(struct poller *p)
{
    int events = 0;
    for (struct list *node = p->waiters.next; node != &p->waiters; node = node->next)
        events |= list_entry(node, struct poll_wait, link)->events;
    if (events == 0) {
        list_unlink(&p->link);
        uv_close((uv_handle_t *)&p->poll, free_poller);
        return 0;
    }
    int watched =
        (events & LS_READABLE ? UV_READABLE : 0) | (events & LS_WRITABLE ? UV_WRITABLE : 0);
    if (watched == p->armed)
        return 0;
    int r = uv_poll_start(&p->poll, watched, on_poll);
    if (r == 0)
        p->armed = watched;
    return r;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct poller *p = list_entry(poll, struct poller, poll);
    int got = (events & UV_READABLE ? LS_READABLE : 0) | (events & UV_WRITABLE ? LS_WRITABLE : 0);
    if (status < 0) { // an error on the descriptor: whatever is tried will tell it
        got = LS_READABLE | LS_WRITABLE;
        p->armed = 0;
    }
    struct list *node = p->waiters.next;
    while (node != &p->waiters) {
        struct poll_wait *w = list_entry(node, struct poll_wait, link);
        node = node->next;
        if (!(w->events & got))
            continue;
        w->got = w->events & got;
        list_del(&w->link);
        ls__wake(w->task, 0);
    }
    rearm(p);
}

static void poll_abort(struct task *t, int why)
{
    struct poll_wait *w = t->wait_op;
    list_del(&w->link);
    rearm(w->poller);
    ls__wake(t, why);
}

static int poll_once(int fd, int events)
{
    struct pollfd p = {.fd = fd};
    p.events = (short)((events & LS_READABLE ? POLLIN : 0) | (events & LS_WRITABLE ? POLLOUT : 0));
    if (poll(&p, 1, 0) < 0)
        return -errno;
    if (p.revents & POLLNVAL)
        return -EBADF;
    if (p.revents & (POLLERR | POLLHUP))
        return events;
    int got = (p.revents & POLLIN ? LS_READABLE : 0) | (p.revents & POLLOUT ? LS_WRITABLE : 0);
    return got ? got : -ETIMEDOUT;
}

int ls_poll_fd_at(struct ls_site *site, int fd, int events, int64_t timeout_ns)
{
    struct task *t = task_current();
    struct poll_wait w = {.task = t, .events = events};
    if (!t)
        return ls__not_in_task(site, "ls_poll_fd");
    if (fd < 0 || (events & ~(LS_READABLE | LS_WRITABLE)) || events == 0)
        return ls__misuse(site, -EINVAL, "ls_poll_fd: descriptor %d, events %d", fd, events);
    if (timeout_ns == 0 && !t->interrupt)
        return poll_once(fd, events);
    int r = may_wait(t, false, timeout_ns);
    if (r < 0)
        return r;
    w.poller = find_poller(fd);
    if (!w.poller && (r = new_poller(&w.poller, fd)) < 0)
        return r;
    list_add_tail(&w.poller->waiters, &w.link);
    if ((r = rearm(w.poller)) < 0) {
        list_del(&w.link);
        rearm(w.poller);
        return r;
    }
    r = park_at(t->loop, t, LS_ABI_WAIT_POLL, (uint64_t)fd, site, timeout_ns, poll_abort, &w,
                false);
    return r < 0 ? r : w.got;
}
