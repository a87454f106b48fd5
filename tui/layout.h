// Where things go: pure functions of sizes and counts.
#ifndef LOOPSCOPE_TUI_LAYOUT_H
#define LOOPSCOPE_TUI_LAYOUT_H

#include "canvas.h"

#define LAYOUT_MIN_ROWS 15
#define LAYOUT_MIN_COLS 60

struct layout {     // of the whole screen; a rectangle that is not shown has no height
    bool too_small; // then body is the whole screen, for one sentence
    struct rect title, tabs, rule, body, status_rule, status, keys;
};
struct layout layout_screen(int rows, int cols);

struct split { // of a view's body, from top to bottom
    struct rect head, table, detail;
};
// What the parts would like: head and detail in rows, the table in rows of items (a header is added).
// Head is shown whole or not at all; the table gets at least 3 items; detail takes the rest, at least
// 3 rows or none. A rule of one row lies between the parts.
struct split layout_split(struct rect body, int head, int items, int detail);

// A box in the middle, at most h x w, with a margin where there is room.
struct rect layout_box(int rows, int cols, int h, int w);

#endif
