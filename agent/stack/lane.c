#include "lane.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../proc_stat.h"

#define REAP_MS 50

int lane_start(struct lane *l)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -errno;
    pid_t pid =
        fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 ? spawner_start(l->spawner, pair[1]) : -errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return pid;
    }
    l->pid = pid;
    l->wire = (struct wire){.fd = pair[0]};
    l->generation++;
    l->started++;
    return 0;
}

static bool reap(struct lane *l, pid_t pid, int wait_ms)
{
    struct spawn_end end;
    if (!spawner_ended(l->spawner, pid, wait_ms, &end))
        return false;
    l->cpu_ns_of_dead += end.cpu_ns;
    return true;
}

static void reap_ghosts(struct lane *l)
{
    int kept = 0;
    for (int i = 0; i < l->nghosts; i++)
        if (!reap(l, l->ghosts[i], 0))
            l->ghosts[kept++] = l->ghosts[i];
    l->nghosts = kept;
}

void lane_stop(struct lane *l)
{
    if (l->pid == 0)
        return;
    wire_reset(&l->wire);
    close(l->wire.fd);
    reap_ghosts(l);
    spawner_signal(l->spawner, l->pid, SIGKILL);
    // Usually gone at once. One that waits for a target's memory in the kernel must not hold us up.
    bool gone = reap(l, l->pid, REAP_MS);
    if (!gone && l->nghosts < (int)(sizeof(l->ghosts) / sizeof(*l->ghosts)))
        l->ghosts[l->nghosts++] = l->pid;
    l->pid = 0;
}

int64_t lane_cpu_ns(const struct lane *l)
{
    struct proc_stat stat;
    if (l->pid == 0 || proc_stat(l->pid, 0, &stat) < 0)
        return l->cpu_ns_of_dead;
    return l->cpu_ns_of_dead + (int64_t)(stat.utime + stat.stime);
}

int64_t lane_rss_anon(const struct lane *l)
{
    char path[64], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/status", l->pid);
    if (l->pid == 0 || proc_read(path, text, sizeof(text)) < 0)
        return 0;
    const char *line = strstr(text, "\nRssAnon:");
    return line ? strtoll(line + 9, NULL, 10) * 1024 : 0;
}
