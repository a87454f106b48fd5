// A screen as data: cells of one glyph and a style by meaning. Views draw here and know no terminal;
// term.c shows it, plain.c prints it, tests compare it.
//
// Drawing goes through panes: a rectangle of a canvas with its own coordinates. Whatever leaves the
// pane is cut, so a view cannot write over its neighbour. A wide character that does not fit whole is
// replaced by a space.
#ifndef LOOPSCOPE_TUI_CANVAS_H
#define LOOPSCOPE_TUI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "glyph.h"

enum style {
    STYLE_TEXT,
    STYLE_DIM,
    STYLE_STRONG,
    STYLE_CRITICAL,
    STYLE_WARNING,
    STYLE_INFO,
    STYLE_OK,
    STYLE_SCOPE,  // which process or loop this is about
    STYLE_HEADER, // of a table
    STYLE_TAB,    // the view that is open
    STYLE_KEY,
    STYLE_KEY_LABEL,
    STYLE_DISABLED,
    STYLE_BANNER, // paused, target gone, lost records
    STYLE_HEAT1,  // lag far below the threshold
    STYLE_HEAT2,
    STYLE_HEAT3, // above the threshold
    STYLE_HEAT4, // ten times above
    STYLE_COUNT,
};
// How a style looks without colours: or-ed. Severity shows in more than its mark.
enum look { LOOK_BOLD = 1, LOOK_UNDERLINE = 2, LOOK_REVERSE = 4 };
#define STYLE_SELECTED 0x40 // or-ed: the row under the cursor
#define STYLE_MATCH    0x80 // or-ed: what was searched for

struct rect {
    int y, x, h, w;
};

struct cell {
    uint32_t ch, mark; // mark: one combining character, 0 none
    uint8_t style;     // enum style, flags
    uint8_t width;     // 1, 2; 0: the right half of the one before
};

enum hit_kind { HIT_NONE, HIT_ROW, HIT_COLUMN, HIT_TAB, HIT_COMMAND };
struct hit { // what a click on this rectangle means
    struct rect r;
    enum hit_kind kind;
    int value; // row of the table, column, view, command
};

#define CANVAS_HITS 512
struct canvas {
    int rows, cols;
    bool ascii;
    bool braille; // charts with two samples a cell; not in ASCII
    struct cell *cells;
    int nhits;
    struct hit hits[CANVAS_HITS];
};

struct pane {
    struct canvas *canvas;
    struct rect r;
};

struct canvas *canvas_new(int rows, int cols, bool ascii); // aborts when out of memory
void canvas_free(struct canvas *c);                        // NULL is fine
void canvas_resize(struct canvas *c, int rows, int cols);  // also clears
void canvas_clear(struct canvas *c);
const struct cell *canvas_at(const struct canvas *c, int y, int x); // inside the canvas
// One line a row, trailing blanks cut.
void canvas_print(const struct canvas *c, FILE *out);
// The same with colours, as escape sequences.
void canvas_print_colors(const struct canvas *c, FILE *out);
// The same with one letter a style instead of the glyph: colours as text.
void canvas_print_styles(const struct canvas *c, FILE *out);
// The same with a digit a cell: its look without colours, 0 to 7.
void canvas_print_mono(const struct canvas *c, FILE *out);
unsigned style_mono(unsigned style);                                // with its flags
const struct hit *canvas_hit(const struct canvas *c, int y, int x); // NULL: nothing there

struct pane canvas_pane(struct canvas *c, struct rect r);
struct pane pane_sub(struct pane p, int y, int x, int h, int w); // cut to p
// All return the column after what was drawn (also of what was cut).
int pane_text(struct pane p, int y, int x, unsigned style,
              const char *text); // an ellipsis where it is cut
int pane_clipped(struct pane p, int y, int x, unsigned style, const char *text); // cut as it stands
int pane_printf(struct pane p, int y, int x, unsigned style, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
int pane_glyph(struct pane p, int y, int x, unsigned style, enum glyph g);
int pane_braille(struct pane p, int y, int x, unsigned style, int left,
                 int right); // heights 0 to 4
// Exactly w columns: padded, or cut with an ellipsis.
int pane_field(struct pane p, int y, int x, int w, bool right, unsigned style, const char *text);
// The same, but a text that is too long loses its beginning.
int pane_field_tail(struct pane p, int y, int x, int w, unsigned style, const char *text);
void pane_rule(struct pane p, int y); // a line over the whole width
void pane_box(struct pane p, unsigned style, const char *title);
void pane_clear(struct pane p);
void pane_mark(struct pane p, int y, unsigned flags); // or flags into a whole row
// Or flags into each occurrence of needle (case does not matter).
void pane_highlight(struct pane p, const char *needle, unsigned flags);
void pane_hit(struct pane p, int y, int x, int h, int w, enum hit_kind kind, int value);

#endif
