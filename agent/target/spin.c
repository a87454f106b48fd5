// Where calls are not traced, a poll without progress shows by what is missing: the loop turns thousands of
// times a second and its thread reads and writes next to nothing. The kernel counts reads and writes of each
// thread (task/TID/io), sockets read by read() included, but not recv and send: a loop that may use those
// alone (asyncio's) is not judged when it turns fast.
#include "spin.h"

#include <stdio.h>
#include <string.h>

#include "procfs.h"

#define FAST_TURNS    5000 // a second; slower ones are no spin, whatever they do
#define TURNS_TO_WORK 50   // one read or write in so many turns is progress

static int64_t read_and_written(const struct thread *t)
{
    char buf[512];
    long long reads, writes;
    if (procfs_read(buf, sizeof(buf), "/proc/%d/task/%d/io", t->pid, t->tid) <= 0)
        return INT64_MIN;
    const char *r = strstr(buf, "syscr:"), *w = strstr(buf, "syscw:");
    if (!r || !w || sscanf(r + 6, "%lld", &reads) != 1 || sscanf(w + 6, "%lld", &writes) != 1)
        return INT64_MIN;
    return reads + writes;
}

int64_t spin_polls(struct thread *t, const struct probe_stats *now)
{
    struct loop_history *h = t->history;
    if (now->polls_empty >= 0)
        return now->polls_empty;
    int64_t turns = h->spin_turns ? now->turns - h->spin_turns : 0;
    int64_t seconds_ns = now->now_ns - h->spin_at_ns;
    bool fast =
        h->spin_turns && seconds_ns > 0 && (double)turns * 1e9 / (double)seconds_ns >= FAST_TURNS;
    int64_t work = fast ? read_and_written(t) : INT64_MIN;
    bool comparable = work != INT64_MIN && h->spin_work != INT64_MIN && h->spin_fast;
    if (fast && t->proc->identity.runtime == RUNTIME_ASYNCIO)
        h->spin_unknown = true;
    else if (comparable && (work - h->spin_work) * TURNS_TO_WORK < turns)
        h->spin_polls += turns;
    h->spin_work = work;
    h->spin_fast = fast;
    h->spin_turns = now->turns;
    h->spin_at_ns = now->now_ns;
    return h->spin_unknown ? INT64_MIN : h->spin_polls;
}

int64_t spin_hot_fd(const struct thread *t)
{
    char buf[4096];
    int fd, found = 0, first = -1;
    if (t->kind != WAIT_EPOLL ||
        procfs_read(buf, sizeof(buf), "/proc/%d/fdinfo/%d", t->pid, t->wait_fd) <= 0)
        return SNAP_UNKNOWN;
    for (const char *at = strstr(buf, "tfd:"); at; at = strstr(at + 4, "tfd:")) {
        if (sscanf(at + 4, "%d", &fd) == 1 && found++ == 0)
            first = fd;
    }
    return found == 1 ? first : SNAP_UNKNOWN;
}
