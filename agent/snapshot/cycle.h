// Tasks that wait for each other: who waits for whom, from one task back to itself.
#ifndef LOOPSCOPE_SNAPSHOT_CYCLE_H
#define LOOPSCOPE_SNAPSHOT_CYCLE_H

#include "snapshot.h"

#define CYCLE_MAX 32

// Names along the cycle that `task` (one of s->tasks) is on, each waits for the next, the last is the first again.
// Their number; 0: none is known, or it is longer than CYCLE_MAX. Texts are the snapshot's.
int cycle_names(const struct snap *s, const struct snap_task *task, const char *names[CYCLE_MAX]);

// Whether task is the one of its cycle in whose place it is told: so each is told once.
bool cycle_begins_at(const struct snap *s, const struct snap_task *task);

#endif
