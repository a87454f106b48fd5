// Threads and processes that came and went, as a look at /proc now and then shows them.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proc.h"

enum { CHILDREN_MAX = 1024 };

static int read_children(int pid, int *to, int max)
{
    char path[64], text[16384];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
    if (proc_read(path, text, sizeof(text)) < 0)
        return 0;
    int n = 0;
    char *at = text, *end;
    while (n < max) {
        long child = strtol(at, &end, 10);
        if (end == at)
            break;
        to[n++] = (int)child;
        at = end;
    }
    return n;
}

static bool among(const int *list, int n, int value)
{
    for (int i = 0; i < n; i++)
        if (list[i] == value)
            return true;
    return false;
}

static void tell_children(struct probe *p, struct process *process)
{
    int now[CHILDREN_MAX];
    int n = read_children(process->pid, now, CHILDREN_MAX);
    bool first = !process->children;
    int *keep = malloc((n ? n : 1) * sizeof(int));
    if (!keep)
        return;
    memcpy(keep, now, n * sizeof(int));
    int *before = process->children, nbefore = process->nchildren;
    process->children = keep;
    process->nchildren = n;
    for (int i = 0; i < n && !first; i++)
        if (!among(before, nbefore, now[i]))
            tell_thread(p, PROBE_PROCESS_FORK, now[i], now[i], process->pid, p->now_ns);
    free(before);
}

// An exec keeps the pid, but not the place of the stack, which is drawn anew.
static bool look_at_process(struct probe *p, struct process *process)
{
    struct proc_stat stat;
    int pid = process->pid;
    int err = proc_stat(pid, 0, &stat);
    if (err || stat.state == 'Z' || stat.state == 'X' || stat.start_time != process->start_time) {
        process_exited(p, pid, p->now_ns);
        return false;
    }
    if (stat.start_stack && process->start_stack && stat.start_stack != process->start_stack) {
        process_execed(p, pid, p->now_ns);
        return false;
    }
    return true;
}

static void look_at_threads(struct probe *p, struct process *process)
{
    char path[64];
    struct stat folder;
    snprintf(path, sizeof(path), "/proc/%d/task", process->pid);
    if (stat(path, &folder))
        return;
    int pid = process->pid;
    bool same = folder.st_nlink == process->links && p->now_ns - process->looked_ns < 5 * NS_PER_S;
    process->links = folder.st_nlink;
    if (same)
        return;
    process->looked_ns = p->now_ns;
    process_forget_dead_threads(p, process);
    process = process_find(p, pid);
    if (process)
        process_list_threads(p, process, true);
}

void proc_look_for_life(struct probe *p)
{
    struct process *process, *next;
    HASH_ITER (hh, p->processes, process, next) {
        if (!look_at_process(p, process))
            continue;
        look_at_threads(p, process);
        tell_children(p, process);
    }
}
