// perf events: ticks of a CPU; of one thread an execution breakpoint, and samples of its registers and stack.
#ifndef LOOPSCOPE_PROBE_PERF_H
#define LOOPSCOPE_PROBE_PERF_H

#include <stdbool.h>
#include <stdint.h>

#include "../confine/opener.h"

#define TICK_PERIOD_NS 10000000
#define SAMPLED_REGS   0xff0fffULL // all general registers, without the segments that nobody needs
#define SAMPLED_STACK  16384

// File descriptors or -errno. opener: who opens it; NULL: this process. prog_fd -1: no program.
int perf_open_tick(struct opener *opener, int cpu, int prog_fd);
int perf_open_breakpoint(struct opener *opener, int tid, uint64_t pc, int prog_fd); // disabled
int perf_open_samples(struct opener *opener, int tid); // into a ring that the caller maps
int perf_arm(int fd, int hits);                        // so many hits more, then it is silent
int64_t perf_count(int fd);                            // hits so far; -errno

int perf_open_order(const struct opener_order *o); // what an opener does: one of the above

#endif
