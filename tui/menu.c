// Small boxes to choose from: the sort column, the setup, and whether to leave while recording.
#include <stdio.h>

#include "layout.h"
#include "view.h"

enum { SETUP_ASCII, SETUP_BRAILLE, SETUP_COLORS, SETUP_COLUMNS }; // then one line a column

int menu_rows(const struct ui *ui)
{
    int columns = tables[open_table(ui)]->ncolumns;
    return ui->overlay == OVERLAY_SORT ? columns + 1 : SETUP_COLUMNS + columns;
}

static const char *column_title(const struct table *t, int i)
{
    return t->columns[i].title[0] ? t->columns[i].title : "severity mark";
}

static void sort_row(const struct ui *ui, int row, char *out, size_t size)
{
    const struct table *t = tables[open_table(ui)];
    const struct table_state *s = ui_table_const(ui);
    const char *name = row == 0 ? "severity (the usual order)" : column_title(t, row - 1);
    snprintf(out, size, "%s %s%s", s->sort == row - 1 ? "*" : " ", name,
             s->sort == row - 1 && s->invert ? "  (inverted)" : "");
}

static const char *const setups[] = {
    [SETUP_ASCII] = "ASCII only",
    [SETUP_BRAILLE] = "braille charts (finer)",
    [SETUP_COLORS] = "colours",
};

static void setup_row(const struct ui *ui, int row, char *out, size_t size)
{
    const struct table *t = tables[open_table(ui)];
    int column = row - SETUP_COLUMNS;
    bool on;
    switch (row) {
    case SETUP_ASCII: on = ui->ascii; break;
    case SETUP_BRAILLE: on = ui->braille; break;
    case SETUP_COLORS: on = !ui->mono; break;
    default: on = !(ui_table_const(ui)->hidden & 1u << column);
    }
    snprintf(out, size, "[%c] %s%s", on ? 'x' : ' ', row < SETUP_COLUMNS ? setups[row] : "column ",
             row < SETUP_COLUMNS ? "" : column_title(t, column));
}

static void choose_sort(struct ui *ui)
{
    struct table_state *s = ui_table(ui);
    int column = ui->overlay_row - 1;
    s->invert = column >= 0 && s->sort == column && !s->invert;
    s->sort = column;
    ui->overlay = OVERLAY_NONE;
    ui_changed(ui);
}

void menu_choose(struct ui *ui)
{
    if (ui->overlay == OVERLAY_SORT)
        choose_sort(ui);
    else if (ui->overlay_row == SETUP_ASCII)
        ui->ascii = !ui->ascii;
    else if (ui->overlay_row == SETUP_BRAILLE)
        ui->braille = !ui->braille;
    else if (ui->overlay_row == SETUP_COLORS)
        ui->mono = !ui->mono;
    else
        ui_table(ui)->hidden ^= 1u << (ui->overlay_row - SETUP_COLUMNS);
}

static void draw_question(const struct ui *ui, struct canvas *c)
{
    bool quit = ui->overlay == OVERLAY_QUIT;
    const char *what = quit ? "A recording is running; leaving ends it."
                            : "The target runs on, unwatched; a attaches again.";
    struct pane p = canvas_pane(c, layout_box(c->rows, c->cols, 6, 56));
    pane_clear(p);
    pane_box(p, STYLE_WARNING, quit ? "Leave?" : "Detach?");
    pane_text(p, 2, 3, STYLE_TEXT, what);
    if (!quit && ui->recording)
        pane_text(p, 3, 3, STYLE_TEXT, "It ends the recording.");
    pane_text(p, p.r.h - 1, p.r.w - 14, STYLE_STRONG, " y / n ");
}

void menu_draw(const struct ui *ui, struct canvas *c)
{
    if (ui->overlay == OVERLAY_QUIT || ui->overlay == OVERLAY_DETACH) {
        draw_question(ui, c);
        return;
    }
    int n = menu_rows(ui);
    struct pane p = canvas_pane(c, layout_box(c->rows, c->cols, n + 2, 44));
    pane_clear(p);
    pane_box(p, STYLE_DIM,
             ui->overlay == OVERLAY_SORT ? "Sort by (Enter; again inverts)"
                                         : "Setup (Space changes)");
    struct pane in = pane_sub(p, 1, 2, p.r.h - 2, p.r.w - 4);
    int top = ui->overlay_row >= in.r.h ? ui->overlay_row - in.r.h + 1 : 0;
    for (int y = 0; y < in.r.h && top + y < n; y++) {
        char text[96];
        if (ui->overlay == OVERLAY_SORT)
            sort_row(ui, top + y, text, sizeof(text));
        else
            setup_row(ui, top + y, text, sizeof(text));
        pane_field(in, y, 0, in.r.w, false, STYLE_TEXT, text);
        if (top + y == ui->overlay_row)
            pane_mark(in, y, STYLE_SELECTED);
    }
}
