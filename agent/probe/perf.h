// perf events of one thread: ticks of its CPU time, and an execution breakpoint.
#ifndef LOOPSCOPE_PROBE_PERF_H
#define LOOPSCOPE_PROBE_PERF_H

#include <stdbool.h>
#include <stdint.h>

#define TICK_PERIOD_NS 10000000

// File descriptors or -errno. prog_fd -1: no program.
int perf_open_tick(int tid, int prog_fd);
int perf_open_breakpoint(int tid, uint64_t pc, int prog_fd); // disabled
int perf_arm(int fd, int hits);                              // so many hits more, then it is silent
int64_t perf_count(int fd);                                  // hits so far; -errno

#endif
