// What was shown in the last ten minutes, a picture a second, within 16 MB: for pause and stepping.
// Kept are loops, processes, findings and the largest sites; not the rows of tasks and descriptors.
// When the memory is used up, every second picture of the older half goes: the span stays, the steps
// grow.
#ifndef LOOPSCOPE_TUI_HISTORY_H
#define LOOPSCOPE_TUI_HISTORY_H

#include "../agent/snapshot/snapshot.h"

#define HISTORY_SECONDS 600
#define HISTORY_BYTES   (16u << 20)

struct history {
    struct snap *v[HISTORY_SECONDS + 1]; // oldest first
    int n;
    size_t bytes;
};

void history_push(struct history *h, const struct snap *s); // at most one a second is kept
// The picture `back` steps before the newest (0 is the newest); NULL: not so many.
struct snap *history_at(const struct history *h, int back);
void history_finish(struct history *h);

#endif
