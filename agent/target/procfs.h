// /proc, read in a bounded way. Functions return 0 or -errno.
#ifndef LOOPSCOPE_PROCFS_H
#define LOOPSCOPE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../proc_stat.h"

// Reads at most size-1 bytes and ends them with a 0; returns the length or -errno.
ssize_t procfs_read(char *buf, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
ssize_t procfs_link(char *buf, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int procfs_comm(int pid, int tid, char *buf, size_t size);
// The system call a thread sleeps in: 0, nr -1 when it sleeps in none; -EAGAIN while it runs.
int procfs_syscall(int pid, int tid, long *ret_nr, uint64_t args[6]);
long procfs_status_number(int pid, const char *key); // of /proc/PID/status; -1
bool procfs_is_tgid(int pid, int *ret_tgid);
// Target memory, for small things; false when it cannot be read.
bool target_read(int pid, uint64_t address, void *buf, size_t size);
// A string, cut at size-1; false when nothing can be read.
bool target_string(int pid, uint64_t address, char *buf, size_t size);

// Calls each(arg, number) for the numeric names in a folder until it returns false.
int procfs_numbers(const char *folder, bool (*each)(void *arg, int number), void *arg);

#endif
