// The dashboard without a terminal: frames and lines as text.
#ifndef LOOPSCOPE_TUI_PLAIN_H
#define LOOPSCOPE_TUI_PLAIN_H

#include <stdbool.h>
#include <stdio.h>

#include "../agent/error.h"
#include "../agent/opts.h"
#include "ui.h"

void plain_set_locale(void);  // character widths need an UTF-8 one
bool plain_needs_ascii(void); // the user's locale is not UTF-8; after plain_set_locale
void plain_error(const struct error *err);
// Whether text that goes to `out` is to be coloured: the flag, NO_COLOR, TERM, and whether it is a terminal.
bool plain_wants_color(enum color wish, FILE *out);
struct plain_opts {
    int width;
    bool ascii, color;
};
// The overview, and the findings when there are some.
void plain_frame(struct ui *ui, const struct plain_opts *o, FILE *out);
// A line for each thing that changed from one picture to the next (before may be NULL).
void plain_changes(const struct snap *before, const struct snap *now, FILE *out);

#endif
