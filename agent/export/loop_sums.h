// What loops that have ended had counted, by the names of their process and loop: a counter that adds up all
// loops of one name must not fall when one of them goes, or a monitoring system takes it for a restart.
//
// Bounded: an entry for each pair of names, as many as LOOP_SUMS_NAMES; a live loop costs one more.
#ifndef LOOPSCOPE_EXPORT_LOOP_SUMS_H
#define LOOPSCOPE_EXPORT_LOOP_SUMS_H

#include "../snapshot/snapshot.h"

#define LOOP_SUMS_NAMES 1000

struct loop_sum {
    int64_t turns, busy_ns, stalls;
    uint64_t lag[16];
};

struct loop_sums;

struct loop_sums *loop_sums_new(void);
void loop_sums_free(struct loop_sums *sums); // NULL is fine
// With each snapshot, in order.
void loop_sums_add(struct loop_sums *sums, const struct snap *s);
// Of one more stall of this loop, which was in the snapshot added last.
void loop_sums_stall(struct loop_sums *sums, int pid, int tid);
// Of those of these names that have ended; NULL: of none.
const struct loop_sum *loop_sums_ended(const struct loop_sums *sums, const char *process,
                                       const char *loop);

#endif
