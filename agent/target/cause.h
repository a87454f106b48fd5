// From the facts of a moment to a cause: which kind, on what, held by whom; and from a turn's split to
// the kind that took most of it.
#ifndef LOOPSCOPE_CAUSE_H
#define LOOPSCOPE_CAUSE_H

#include "model.h"

void cause_clear(struct cause *c); // all unknown
// What the thread did at the moment of the sample. Strings into box.
void cause_of_sample(const struct probe_sample *s, struct snap *box, struct cause *ret);
// The same for a system call alone.
void cause_of_call(int pid, int tid, long syscall, const uint64_t *args, struct snap *box,
                   struct cause *ret);

// Wall time by kind. top_*: the call slept longest in, -1 none (a file lock's sleep is a lock's).
struct time_split split_of_turn(const struct probe_split *s, long top_syscall,
                                const uint64_t *top_args, int64_t top_ns);
// Counts the sleep that a sample was taken in, which its split may lack.
void split_add_sample(struct time_split *split, const struct probe_sample *s, enum cause_kind kind);
int64_t split_time(const struct time_split *split, enum cause_kind kind);
// The kind that took most; its share of duration in *ret_ratio.
enum cause_kind split_winner(const struct time_split *split, int64_t duration_ns,
                             double *ret_ratio);

#endif
