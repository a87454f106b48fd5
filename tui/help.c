// The keys of this view, from the key table. Typing narrows them.
#include <stdio.h>
#include <string.h>

#include "layout.h"
#include "view.h"

#define NAMES   8 // columns of the key names
#define COLUMNS 3

static const int column_of[GROUP_COUNT] = {
    [GROUP_MOVE] = 0, [GROUP_TIME] = 0, [GROUP_VIEW] = 1,
    [GROUP_HERE] = 1, [GROUP_FIND] = 2, [GROUP_DO] = 2,
};

static bool wanted(const struct ui *ui, const struct binding *b)
{
    if (b->views && !(b->views & 1u << ui->nav.view))
        return false;
    return !ui->help_filter[0] || strcasestr(b->help, ui->help_filter) ||
           strcasestr(b->names, ui->help_filter);
}

static int draw_group(const struct ui *ui, struct pane p, int y, enum key_group g)
{
    int from = y;
    for (const struct binding *b = key_table; b->command != CMD_NONE; b++) {
        if (b->group != g || !wanted(ui, b))
            continue;
        if (y == from)
            pane_text(p, y++, 1, STYLE_STRONG, key_group_names[g]);
        const char *why = ui_why_not(ui, b->command);
        pane_field(p, y, 2, NAMES, false, STYLE_KEY_LABEL, b->names);
        pane_field(p, y++, 3 + NAMES, p.r.w - 4 - NAMES, false, why ? STYLE_DISABLED : STYLE_TEXT,
                   b->help);
    }
    return y;
}

static void draw_legend(struct pane p, int y)
{
    int x = pane_text(p, y, 2, STYLE_CRITICAL, "!!");
    x = pane_text(p, y, x, STYLE_TEXT, " critical  ");
    x = pane_text(p, y, x, STYLE_WARNING, "!");
    x = pane_text(p, y, x, STYLE_TEXT, " warning  ");
    x = pane_text(p, y, x, STYLE_INFO, ".");
    pane_text(pane_sub(p, y, 0, 1, p.r.w - 1), 0, x, STYLE_TEXT,
              " info  ? not watched  - unknown  the mouse, too");
}

void help_draw(const struct ui *ui, struct canvas *c)
{
    char title[96];
    struct rect box = layout_box(c->rows, c->cols, 26, 92);
    struct pane p = canvas_pane(c, box);
    pane_clear(p);
    snprintf(title, sizeof(title), "Keys: %s  (? or Esc closes)", views[ui->nav.view]->name);
    pane_box(p, STYLE_DIM, title);
    struct pane in = pane_sub(p, 1, 1, p.r.h - 3, p.r.w - 2);
    int w = in.r.w / COLUMNS, y[COLUMNS] = {0};
    for (int g = 0; g < GROUP_COUNT; g++) {
        int column = column_of[g];
        struct pane at = pane_sub(in, 0, column * w, in.r.h, w);
        y[column] = draw_group(ui, at, y[column], (enum key_group)g);
    }
    draw_legend(p, p.r.h - 2);
    pane_printf(p, p.r.h - 1, 4, STYLE_SCOPE, " type to search the keys: %s ", ui->help_filter);
}
