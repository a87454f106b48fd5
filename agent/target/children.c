#include "children.h"

#include <stdio.h>
#include <stdlib.h>

#include "procfs.h"

#define COMMAND_SHOWN 80
#define FORK_NO_EXEC  0x00000040 // PF_FORKNOEXEC

// Its command's words, blanks between them; false before its exec, when it still has its parent's.
static bool command_line(int child, char *buf, size_t size)
{
    struct proc_stat stat;
    if (proc_stat(child, 0, &stat) < 0 || stat.flags & FORK_NO_EXEC)
        return false;
    ssize_t n = procfs_read(buf, size, "/proc/%d/cmdline", child);
    while (n > 0 && !buf[n - 1])
        n--;
    for (ssize_t i = 0; i < n; i++)
        if (!buf[i])
            buf[i] = ' ';
    if (n <= 0)
        return false;
    buf[n] = '\0';
    return true;
}

bool child_text(int child, char *buf, size_t size)
{
    char comm[64], command[COMMAND_SHOWN];
    if (child <= 0 || procfs_comm(child, child, comm, sizeof(comm)) < 0)
        return false;
    if (command_line(child, command, sizeof(command)))
        snprintf(buf, size, "child %d (%s)", child, command);
    else
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
        if (proc_stat(child, 0, &stat) == 0 && stat.state != 'Z' && stat.start_time >= newest) {
            newest = stat.start_time;
            found = child;
        }
    }
    return found;
}
