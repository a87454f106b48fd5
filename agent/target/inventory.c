// What is looked up in /proc every few seconds: descriptors, limits, memory, zombies; and whether a pid is
// still the process that was put under watch.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procfs.h"
#include "procs.h"
#include "threads.h"

// The size of the folder is the count since Linux 6.2; before, it is 0 and each name is counted.
static bool count_one(void *arg, int number)
{
    (void)number;
    (*(int64_t *)arg)++;
    return true;
}

static int64_t count_fds(int pid)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    if (stat(path, &st) < 0)
        return SNAP_UNKNOWN;
    int64_t n = st.st_size;
    if (n == 0 && procfs_numbers(path, count_one, &n) < 0)
        return SNAP_UNKNOWN;
    return n;
}

static int64_t limit_number(const char *text)
{
    while (*text == ' ')
        text++;
    return strncmp(text, "unlimited", 9) == 0 ? SNAP_UNKNOWN : strtoll(text, NULL, 10);
}

static void read_limits(struct proc *p)
{
    static const char key[] = "Max open files";
    char buf[4096];
    if (procfs_read(buf, sizeof(buf), "/proc/%d/limits", p->pid) < 0)
        return;
    const char *at = strstr(buf, key);
    if (!at)
        return;
    at += sizeof(key) - 1;
    p->fd_limit = limit_number(at);
    at += strspn(at, " ");
    p->fd_limit_hard = limit_number(at + strcspn(at, " "));
}

static void read_memory(struct proc *p)
{
    char buf[128];
    long mapped, resident, page = sysconf(_SC_PAGESIZE);
    p->mapped_bytes = p->rss_bytes = SNAP_UNKNOWN;
    if (procfs_read(buf, sizeof(buf), "/proc/%d/statm", p->pid) > 0 &&
        sscanf(buf, "%ld %ld", &mapped, &resident) == 2) {
        p->mapped_bytes = (int64_t)mapped * page;
        p->rss_bytes = (int64_t)resident * page;
    }
}

// One walk over the machine finds the zombies of every watched process.
static bool note_zombie(void *arg, int pid)
{
    struct model *m = arg;
    struct proc_stat stat;
    if (proc_stat(pid, 0, &stat) < 0 || stat.state != 'Z')
        return true;
    struct proc *parent = proc_find(m, stat.ppid);
    if (!parent || parent->exited)
        return true;
    if (parent->zombies++ == 0)
        snprintf(parent->zombie_command, sizeof(parent->zombie_command), "%s", stat.comm);
    return true;
}

static void count_zombies(struct model *m)
{
    for (struct proc *p = m->procs; p; p = p->hh.next)
        p->zombies = 0;
    if (procfs_numbers("/proc", note_zombie, m) < 0)
        return;
    for (struct proc *p = m->procs; p; p = p->hh.next) {
        if (p->zombies == 0)
            p->zombie_since_ns = SNAP_UNKNOWN;
        else if (p->zombie_since_ns == SNAP_UNKNOWN)
            p->zombie_since_ns = m->now_ns; // a lower bound: nothing tells when one died
    }
}

static void check_still_there(struct model *m, struct proc *p)
{
    struct proc_stat stat;
    int r = proc_stat(p->pid, 0, &stat);
    if (r == 0 && stat.start_time == p->start_ticks && stat.state != 'Z')
        return;
    struct probe_thread_event gone = {.what = PROBE_PROCESS_EXIT, .pid = p->pid, .tid = p->pid};
    thread_event(m, &gone);
}

void proc_inventory(struct proc *p)
{
    p->fd_count = count_fds(p->pid);
    read_limits(p);
    read_memory(p);
}

// Limits hardly ever change, and zombies are judged over a minute: every fourth look suffices.
#define SELDOM 4

void procs_inventory(struct model *m)
{
    struct proc *p, *next;
    bool all = m->inventories++ % SELDOM == 0;
    HASH_ITER (hh, m->procs, p, next) {
        if (p->exited)
            continue;
        check_still_there(m, p);
        if (p->exited)
            continue;
        if (all) {
            proc_inventory(p);
            continue;
        }
        p->fd_count = count_fds(p->pid);
        read_memory(p);
    }
    if (all)
        count_zombies(m);
}
