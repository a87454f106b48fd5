// The plan of a stalling target, and the log it keeps of itself: the ground truth of the end-to-end
// tests. The agent never sees this file; tests/e2e compares what the agent said with it.
//
// Log, one line each, times in ns of CLOCK_MONOTONIC:
//   ready NS REALTIME_NS PID TID SEED
//   begin N NS CAUSE FUNCTION[|FUNCTION@LINE-LINE]... FILE LINE[-LINE]
//   end N NS [USER-NS KERNEL-NS WAITED-NS]
//   done NS
// Further functions are as right an answer as the first, on lines of their own; spaces in names are written
// as _. USER and KERNEL are the CPU time that the kernel counted for the thread meanwhile, WAITED how long it
// could have run and had no CPU.
#ifndef TARGETS_PLAN_H
#define TARGETS_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#define PLAN_MAX_CAUSES 16

// The culprit that a perfect observer would name: the innermost function of the program.
struct plan_site {
    const char *function, *file;
    int line, last_line;
};

struct cpu_times { // ns
    int64_t user, kernel, waited;
};

struct plan {
    uint64_t seed, rng;
    int count;                            // stalls to make, 0: until killed
    int min_ms, max_ms;                   // length of a stall
    int gap_min_ms, gap_max_ms, start_ms; // healthy time between stalls, and before the first
    bool endless;                         // the first stall does not end
    int ncauses;
    const char *causes[PLAN_MAX_CAUSES];
    int order[PLAN_MAX_CAUSES], next; // each round visits every cause once, in a new order
    int log_fd, made;
    struct cpu_times at_begin; // of the stall that lasts
};

// --seed --count --min --max --gap-min --gap-max --start (ms) --causes a,b --endless --log FILE.
// `all` are the causes that the program knows. Exits 2 on a usage error.
void plan_parse(struct plan *p, int argc, char **argv, const char *const *all);
void plan_ready(struct plan *p);
bool plan_finished(const struct plan *p);
const char *plan_next_cause(struct plan *p);
long plan_length_ms(struct plan *p); // of the next stall; hours when endless
long plan_gap_ms(struct plan *p);
void plan_begin(struct plan *p, const char *cause, const struct plan_site *at);
void plan_end(struct plan *p);
void plan_done(struct plan *p);

int64_t now_ns(void);

#endif
