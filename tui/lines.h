// Running text: styled lines that were wrapped to a width. Details under a table, the pages that Enter
// opens and what `c` copies are all made of these.
#ifndef LOOPSCOPE_TUI_LINES_H
#define LOOPSCOPE_TUI_LINES_H

#include "canvas.h"

struct line {
    enum style style; // of the text
    int indent;       // when printed
    int heading;      // bytes at its start that are a heading (STYLE_STRONG)
    char *text;       // cleaned
};

struct lines {
    int n, cap;
    struct line *v;
};

void lines_finish(struct lines *l);
void lines_add(struct lines *l, enum style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// heading in a column of its own, text wrapped beside it. The text is hostile, so it is no format.
void lines_wrap(struct lines *l, enum style style, const char *heading, int indent, int width,
                const char *text);
// From line `first` on, as many as fit. When some are left out the last row says how many.
void lines_draw(const struct lines *l, struct pane p, int first);
void lines_print(const struct lines *l, bool ascii, FILE *out);

#endif
