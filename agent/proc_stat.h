// /proc/PID/stat, for whoever looks at a process: probe, target, stack.
#ifndef LOOPSCOPE_PROC_STAT_H
#define LOOPSCOPE_PROC_STAT_H

#include <stdint.h>

struct proc_stat {
    char comm[64];
    char state;
    int ppid, threads;
    uint32_t flags;        // PF_*
    uint64_t utime, stime; // ns, in steps of a tick
    uint64_t start_time;   // ticks since boot
    uint64_t start_stack;  // 0: not for us to see
};

#define PROC_PF_KTHREAD 0x00200000u

// tid 0: of the process. -ESRCH: gone.
int proc_stat(int pid, int tid, struct proc_stat *ret);
// Of such a text, which is changed. 0 or -EPROTO.
int proc_parse_stat(char *text, struct proc_stat *ret);

// The text of a small file, NUL-terminated; its length or -errno.
int proc_read(const char *path, char *to, int size);

#endif
