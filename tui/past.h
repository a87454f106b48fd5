// What was shown in the last ten minutes, a picture a second, within 16 MB: for pause and stepping.
// Kept are loops, processes, findings and the largest sites; not the rows of tasks and descriptors.
// When the memory is used up, every second picture of the older half goes: the span stays, the steps
// grow.
#ifndef LOOPSCOPE_TUI_PAST_H
#define LOOPSCOPE_TUI_PAST_H

#include "../agent/snapshot/snapshot.h"

#define PAST_SECONDS 600
#define PAST_BYTES   (16u << 20)

struct past {
    struct snap *v[PAST_SECONDS + 1]; // oldest first
    int n;
    size_t bytes;
};

void past_push(struct past *h, const struct snap *s); // at most one a second is kept
// The picture next to a time, earlier (direction < 0) or later; NULL: none is kept.
struct snap *past_next(const struct past *h, int64_t now_ns, int direction);
void past_finish(struct past *h);

#endif
