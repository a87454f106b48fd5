// Times on a logarithmic scale: one row of eight levels (sparkline), or several rows (columns).
// Unknown values leave a gap, which is not the same as the lowest level.
#ifndef LOOPSCOPE_TUI_CHART_H
#define LOOPSCOPE_TUI_CHART_H

#include "canvas.h"

#define CHART_LOW_NS  1000000LL     // below 1 ms all is equally well
#define CHART_HIGH_NS 10000000000LL // above 10 s equally bad

// The level 0 .. levels of a time; 0 only for unknown.
int chart_level(int64_t ns, int64_t low, int64_t high, int levels);
// The heat of a lag, judged by the threshold in force.
enum style chart_heat(int64_t ns, int64_t threshold_ns);
// n values into w columns, newest right; several values in one column show their worst. On a canvas with
// braille a column is half a cell.
void chart_spark(struct pane p, int y, int x, int w, const int64_t *ns, int n,
                 int64_t threshold_ns);
// One decade a row, its upper bound at the left; fills the pane, 7 columns of axis.
void chart_columns(struct pane p, const int64_t *ns, int n, int64_t threshold_ns);
void chart_bar(struct pane p, int y, int x, int w, enum style style, double ratio);

#endif
