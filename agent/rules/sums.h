// Blocking calls that are each too short to be a stall, and together too much.
#ifndef LOOPSCOPE_SUMS_H
#define LOOPSCOPE_SUMS_H

#include "engine.h"

// Judges the calls of one kind by share and min of the rule: which says whether a call is the rule's.
void sums_judge(struct rules *r, const struct rule *rule, const struct snap *now,
                bool (*is_ours)(const struct cause *c), const char *what);
// A stall is the rule's when one call took the threshold, or the calls took most of it.
bool sums_explain(const struct snap_stall *s, int64_t spent_ns);

#endif
