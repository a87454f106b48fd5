// What we cost ourselves, helper included.
#ifndef LOOPSCOPE_SELF_H
#define LOOPSCOPE_SELF_H

#include "model.h"

#define SELF_SECONDS 60

struct self {
    int64_t at_ns[SELF_SECONDS + 1], cpu_ns[SELF_SECONDS + 1];
    int n, head;
    uint64_t steal, total; // of all CPUs at the reading before
    double steal_ratio;
};

void self_push(struct self *s, const struct model *m);                          // once a second
void self_fill(const struct self *s, const struct model *m, struct snap *snap); // host and agent

#endif
