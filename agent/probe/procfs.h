// What /proc says of a process and its threads.
#ifndef LOOPSCOPE_PROBE_PROCFS_H
#define LOOPSCOPE_PROBE_PROCFS_H

#include <stdbool.h>
#include <stdint.h>

struct proc_stat {
    char state;
    uint32_t flags;        // PF_*
    uint64_t utime, stime; // ns, in steps of a tick
    uint64_t start_time;   // ticks since boot
    uint64_t start_stack;  // 0: not for us to see
};

#define PROC_PF_KTHREAD 0x00200000u

// tid 0: of the process. -ESRCH: gone.
int proc_stat(int pid, int tid, struct proc_stat *ret);

struct proc_syscall {
    bool running; // on a CPU or waiting for one: the rest is not known
    long nr;      // -1: asleep outside a system call (page fault)
    uint64_t args[6], sp, pc;
};

// Of the text of /proc/PID/task/TID/syscall and .../schedstat; 0 or -EPROTO.
int proc_parse_syscall(const char *text, struct proc_syscall *ret);

struct proc_schedstat {
    uint64_t cpu_ns, run_delay_ns, slices;
};

int proc_parse_schedstat(const char *text, struct proc_schedstat *ret);

// How often it went to sleep of its own accord; -errno.
int64_t proc_voluntary_switches(int pid, int tid);

// Calls back for each thread; stops when the callback returns nonzero, and returns that.
int proc_each_thread(int pid, int (*each)(void *arg, int tid), void *arg);

bool proc_is_32bit(int pid);

// The text of a small file, NUL-terminated; its length or -errno.
int proc_read(const char *path, char *to, int size);

#endif
