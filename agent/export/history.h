// What happened over a whole window: a snapshot holds only the stalls of its moment, but a profile, a
// trace or a timeline needs all of them. Fed with each snapshot as it comes.
//
// Bounded: when the most stalls or points are reached, the older half is forgotten; what is left out is counted, and
// exporters say so. Totals (loops, sums, fds, tasks) count all.
#ifndef LOOPSCOPE_EXPORT_HISTORY_H
#define LOOPSCOPE_EXPORT_HISTORY_H

#include "../snapshot/snapshot.h"
#include "loop_sums.h"
#include "site_sums.h"

#define HISTORY_STALLS 50000 // of a report's window: some 30 MB
#define HISTORY_POINTS 200000
#define RECENT_STALLS  2000 // of a service that runs for months: some 2 MB
#define RECENT_POINTS  20000
#define ENDED_LOOPS    64 // whose totals may stay beside those of the loops that live

struct loop_point { // a loop at one tick
    int64_t at_ns;
    int pid, tid;
    double busy_ratio;
    int64_t worst_ns; // longest turn since the point before; UNKNOWN
};

struct process_point { // a process at one tick
    int64_t at_ns;
    int pid;
    int64_t fd_count, ntasks; // UNKNOWN
};

struct loop_total { // of one loop that lives or ended not long ago, whatever was left out above
    int pid, tid;
    int64_t stalls;
};

struct history {
    struct snap *own; // memory of all below
    int most_stalls, most_points;
    int copies; // of stalls in `own`, an open one's former states too
    int nstalls, stalls_cap;
    struct snap_stall *stalls; // each once, as last seen, in order of their first appearance
    int64_t stalls_left_out;
    int nloop_points, loop_points_cap;
    struct loop_point *loop_points;
    int nprocess_points, process_points_cap;
    struct process_point *process_points;
    int64_t points_left_out;
    int64_t last_second; // that has its points: one each, however often snapshots come
    int first_open;      // no stall before this one is still open
    int nloops, loops_cap;
    struct loop_total *loops;
    uint64_t newest_stall; // ids rise: a higher one is a new stall
    struct loop_sums *sums;
    struct site_sums *fds, *tasks;
};

struct history *history_new(void);
struct history *history_new_recent(void); // RECENT_STALLS and RECENT_POINTS at most
void history_free(struct history *h);     // NULL is fine
void history_add(struct history *h, const struct snap *s);

// Blocked time by stack: each sample of a stall stands for the time until the next one.
struct stack_weight {
    int pid, tid;
    const struct stack *stack; // NULL: time without a stack
    const struct cause *cause; // of the newest stall
    int64_t ns, samples, stalls;
};
struct weights {
    int n;
    struct stack_weight *list; // heaviest first
};
// From h, or from s alone when h is NULL. Free with weights_finish.
struct weights weigh(const struct snap *s, const struct history *h);
void weights_finish(struct weights *w);

#endif
