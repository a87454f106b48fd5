// Synthetic snapshots for unit tests and golden screens: every field that a view, an exporter or a
// recording can show has a value somewhere. Nothing in them depends on a clock or on this machine.
#ifndef LOOPSCOPE_TESTS_FIXTURE_H
#define LOOPSCOPE_TESTS_FIXTURE_H

#include "../../agent/snapshot/snapshot.h"

// Three processes (asyncio, node, redis) and one that cannot be watched; stalls open and closed,
// all severities, tasks with a tree, descriptors with a leak, events. `tick` 0.. moves time on by a
// second: the open stall grows, counters rise.
struct snap *fixture_rich(int tick);
// A quiet process: one loop, nothing found.
struct snap *fixture_quiet(void);
// Nothing attached: every list is empty, everything that can be unknown is.
struct snap *fixture_empty(void);
// The rich one with names that attack its readers: quotes, <script>, escape sequences, invalid
// UTF-8, format letters, 4 KB long ones.
struct snap *fixture_hostile(void);

#endif
