// What /proc says of a process and its threads.
#ifndef LOOPSCOPE_PROBE_PROCFS_H
#define LOOPSCOPE_PROBE_PROCFS_H

#include <stdbool.h>
#include <stdint.h>

#include "../proc_stat.h"

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

#endif
