// Every character of the screens that is not ASCII, with its ASCII twin.
#ifndef LOOPSCOPE_TUI_GLYPH_H
#define LOOPSCOPE_TUI_GLYPH_H

#include <stdbool.h>
#include <stdint.h>

enum glyph {
    GLYPH_HLINE,
    GLYPH_VLINE,
    GLYPH_AXIS, // the left border of a chart
    GLYPH_TOP_LEFT,
    GLYPH_TOP_RIGHT,
    GLYPH_BOTTOM_LEFT,
    GLYPH_BOTTOM_RIGHT,
    GLYPH_TREE_BRANCH,
    GLYPH_TREE_LAST,
    GLYPH_TREE_LINE,
    GLYPH_OPEN,   // an unfolded node
    GLYPH_FOLDED, // a folded node
    GLYPH_ASCENDING,
    GLYPH_DESCENDING,
    GLYPH_ELLIPSIS, // the text goes on
    GLYPH_PATH,     // between the steps of a breadcrumb
    GLYPH_CALLS,    // "called by", leaf first
    GLYPH_CULPRIT,
    GLYPH_BAR,
    GLYPH_LEVEL0, // of sparklines: nothing
    GLYPH_LEVEL1,
    GLYPH_LEVEL2,
    GLYPH_LEVEL3,
    GLYPH_LEVEL4,
    GLYPH_LEVEL5,
    GLYPH_LEVEL6,
    GLYPH_LEVEL7,
    GLYPH_LEVEL8, // full
    GLYPH_COUNT,
};

uint32_t glyph_char(enum glyph g, bool ascii);
// Two columns of dots, each 0 to 4 high, in one cell. There is no ASCII twin: who draws in ASCII does not
// ask for it.
uint32_t glyph_braille(int left, int right);

#endif
