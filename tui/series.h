// The worst turn over time, for charts: as near or as far as the zoom says.
#ifndef LOOPSCOPE_TUI_SERIES_H
#define LOOPSCOPE_TUI_SERIES_H

#include "ui.h"

#define SERIES_MAX LOOP_SPARK

struct series {
    int64_t ns[SERIES_MAX]; // newest last; SNAP_UNKNOWN: not watched then
    int n;
    const char *each, *span; // of one value, of all: "second", "60 s"
};

// Of one loop, or the worst of all (pid 0).
void series_worst(const struct ui *ui, int pid, int tid, struct series *ret);

#endif
