#include "children.h"

#include <stdio.h>
#include <stdlib.h>

#include "procfs.h"

bool child_text(int child, char *buf, size_t size)
{
    char comm[64];
    if (child <= 0 || procfs_comm(child, child, comm, sizeof(comm)) < 0)
        return false;
    snprintf(buf, size, "child %d (%s)", child, comm);
    return true;
}

int newest_child(int pid, int tid)
{
    char buf[4096];
    struct proc_stat stat;
    uint64_t newest = 0;
    int found = 0;
    if (procfs_read(buf, sizeof(buf), "/proc/%d/task/%d/children", pid, tid) <= 0)
        return 0;
    char *at = buf, *end;
    for (int i = 0; i < 256; i++, at = end) {
        int child = (int)strtol(at, &end, 10);
        if (end == at)
            break;
        if (procfs_stat(child, &stat) == 0 && stat.state != 'Z' && stat.start_ticks >= newest) {
            newest = stat.start_ticks;
            found = child;
        }
    }
    return found;
}
