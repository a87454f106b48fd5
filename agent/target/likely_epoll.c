// Found by a look at the descriptors: which epolls a process has, and which of them other threads wait on.
#include "likely_epoll.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "procfs.h"

#define MOST 64 // beyond which it does not matter how many there are

static bool waited_on_by_another(const struct thread *t, int fd)
{
    const struct thread *other;
    DL_FOREACH (t->proc->threads, other) {
        if (other == t)
            continue;
        for (int i = 0; i < other->nwaits; i++)
            if (other->waits[i].kind == WAIT_EPOLL && other->waits[i].fd == fd)
                return true;
        if (other->trust != TRUST_NO && other->wait_fd == fd)
            return true;
    }
    return false;
}

struct search {
    const struct thread *of;
    int except;
    struct epolls found;
};

static bool is_eventpoll(int pid, int fd)
{
    char link[64];
    return procfs_link(link, sizeof(link), "/proc/%d/fd/%d", pid, fd) >= 0 &&
           strcmp(link, "anon_inode:[eventpoll]") == 0;
}

// Node.js has one that nothing was ever added to: nobody's loop.
static bool watches_nothing(int pid, int fd)
{
    char info[512];
    return procfs_read(info, sizeof(info), "/proc/%d/fdinfo/%d", pid, fd) > 0 &&
           !strstr(info, "tfd:");
}

static bool look_for_eventpoll(void *arg, int fd)
{
    struct search *e = arg;
    const struct identity *id = &e->of->proc->identity;
    // Worker threads of Node.js have loops of their own: the default loop is the main thread's.
    bool main_loops =
        id->runtime == RUNTIME_NODE && e->of->tid != e->of->pid && fd == id->uv_backend_fd;
    if (fd == e->except || main_loops || !is_eventpoll(e->of->pid, fd) ||
        waited_on_by_another(e->of, fd) || watches_nothing(e->of->pid, fd))
        return true;
    e->found.count++;
    if (e->found.lowest < 0 || fd < e->found.lowest)
        e->found.lowest = fd;
    return e->found.count < MOST;
}

struct epolls epolls_of(const struct thread *t, int except)
{
    struct search e = {.of = t, .except = except, .found = {.lowest = -1}};
    char folder[32];
    snprintf(folder, sizeof(folder), "/proc/%d/fd", t->pid);
    procfs_numbers(folder, look_for_eventpoll, &e);
    return e.found;
}

int likely_epoll(const struct thread *t, int not_fd)
{
    const struct identity *id = &t->proc->identity;
    bool is_main = t->tid == t->pid;
    if (id->uv_backend_fd >= 0 && (is_main || id->runtime != RUNTIME_NODE) &&
        (is_main || !waited_on_by_another(t, id->uv_backend_fd)))
        return id->uv_backend_fd;
    if (id->runtime == RUNTIME_UNKNOWN)
        return -1;
    struct epolls e = epolls_of(t, not_fd);
    return is_main || e.count == 1 ? e.lowest : -1;
}
