// Draws any table: columns that fit, the header with the sort mark, rows with the cursor.
#include <string.h>

#include "chart.h"
#include "text.h"
#include "view.h"

#define COLUMNS_MAX 20
#define FIXED       2  // columns that never scroll away: mark and name
#define MEASURED    64 // rows; with more, widths do not depend on what the rows hold

struct fit {
    int width[COLUMNS_MAX]; // 0: not shown
};

static int total_width(const struct fit *f, int n)
{
    int sum = -1;
    for (int i = 0; i < n; i++)
        if (f->width[i] > 0)
            sum += f->width[i] + 1;
    return sum;
}

static int next_to_drop(const struct table *t, const struct fit *f)
{
    int drop = -1;
    for (int i = 0; i < t->ncolumns; i++)
        if (f->width[i] > 0 && t->columns[i].priority > 0 &&
            (drop < 0 || t->columns[i].priority >= t->columns[drop].priority))
            drop = i;
    return drop;
}

// What a column that can grow would need to show all its texts whole.
static int wanted_width(const struct ui *ui, const struct table *t, const struct table_state *s,
                        int i)
{
    int wanted = text_width(t->columns[i].title) + (s->sort == i);
    for (int row = 0; row < s->n; row++) {
        struct cell_text cell = {.style = STYLE_TEXT};
        t->cell(ui, s->order[row].index, i, &cell);
        int width = text_width(cell.text);
        wanted = width > wanted ? width : wanted;
    }
    return wanted;
}

// Gives columns that need more what others do not need, cell by cell.
static int share_by_need(const struct table *t, const int *wanted, int spare, struct fit *f)
{
    for (bool given = true; given && spare > 0;) {
        given = false;
        for (int i = 0; i < t->ncolumns && spare > 0; i++) {
            if (f->width[i] == 0 || f->width[i] >= wanted[i])
                continue;
            f->width[i]++;
            spare--;
            given = true;
        }
    }
    return spare;
}

static int share_equally(const struct table *t, int spare, struct fit *f)
{
    int nflex = 0;
    for (int i = 0; i < t->ncolumns; i++)
        nflex += f->width[i] > 0 && t->columns[i].flex;
    for (int i = 0; i < t->ncolumns && spare > 0 && nflex > 0; i++) {
        if (f->width[i] == 0 || !t->columns[i].flex)
            continue;
        int share = spare / nflex--;
        f->width[i] += share;
        spare -= share;
    }
    return spare;
}

static void measure(const struct ui *ui, const struct table *t, const struct table_state *s,
                    struct fit *f, int *wanted)
{
    for (int i = 0; i < t->ncolumns; i++) {
        wanted[i] = 0;
        if (f->width[i] == 0 || !t->columns[i].flex)
            continue;
        wanted[i] = wanted_width(ui, t, s, i);
        if (wanted[i] < f->width[i])
            f->width[i] = wanted[i];
    }
}

// Scrolled away are the first `skip` columns after the fixed ones.
static void fit_columns(const struct ui *ui, const struct table *t, const struct table_state *s,
                        int width, struct fit *f)
{
    int wanted[COLUMNS_MAX];
    memset(f, 0, sizeof(*f));
    for (int i = 0; i < t->ncolumns; i++)
        if (!(s->hidden & 1u << i) && !(i >= FIXED && i < FIXED + s->skip))
            f->width[i] = t->columns[i].width;
    for (int drop; total_width(f, t->ncolumns) > width && (drop = next_to_drop(t, f)) >= 0;)
        f->width[drop] = 0;
    bool few = s->n > 0 && s->n <= MEASURED && !t->arrange;
    if (few)
        measure(ui, t, s, f, wanted);
    int spare = width - total_width(f, t->ncolumns);
    if (few)
        spare = share_by_need(t, wanted, spare, f);
    share_equally(t, spare, f);
}

static void draw_header(const struct table *t, const struct table_state *s, const struct fit *f,
                        struct pane p)
{
    int x = 0;
    for (int i = 0; i < t->ncolumns; i++) {
        if (f->width[i] == 0)
            continue;
        const struct column *c = &t->columns[i];
        pane_field(p, 0, x, f->width[i], c->right, STYLE_HEADER, c->title);
        if (s->sort == i)
            pane_glyph(p, 0, x + f->width[i], STYLE_HEADER,
                       c->big_first != s->invert ? GLYPH_DESCENDING : GLYPH_ASCENDING);
        if (c->title[0])
            pane_hit(p, 0, x, 1, f->width[i], HIT_COLUMN, i);
        x += f->width[i] + 1;
    }
}

// Tree lines before the first text column. Returns the columns taken.
static int draw_branch(const struct entry *e, struct pane p, int y, int x)
{
    int at = x + (e->depth > 0 ? (e->depth - 1) * 2 : 0);
    if (e->depth > 0) {
        pane_glyph(p, y, at++, STYLE_DIM, e->last ? GLYPH_TREE_LAST : GLYPH_TREE_BRANCH);
        pane_glyph(p, y, at++, STYLE_DIM, GLYPH_TREE_LINE);
    }
    if (e->fold) {
        pane_text(p, y, at, STYLE_DIM, "[");
        pane_glyph(p, y, at + 1, STYLE_STRONG, e->fold == '+' ? GLYPH_FOLDED : GLYPH_OPEN);
        pane_text(p, y, at + 2, STYLE_DIM, "]");
        at += 4;
    } else if (e->depth > 0) {
        at++;
    }
    return at - x;
}

static void draw_cell(const struct ui *ui, const struct table *t, const struct entry *e, int i,
                      struct pane p, int y, int x, int width)
{
    struct cell_text cell = {.style = STYLE_TEXT};
    t->cell(ui, e->index, i, &cell);
    if (cell.spark) {
        chart_spark(p, y, x, width, cell.spark, cell.nspark, ui->snap->threshold_ns);
        return;
    }
    int branch = t->arrange && i == 1 ? draw_branch(e, pane_sub(p, y, x, 1, width), 0, 0) : 0;
    if (branch >= width)
        return;
    if (t->columns[i].tail)
        pane_field_tail(p, y, x + branch, width - branch, cell.style, cell.text);
    else
        pane_field(p, y, x + branch, width - branch, t->columns[i].right, cell.style, cell.text);
}

static void draw_row(const struct ui *ui, const struct table *t, const struct fit *f,
                     const struct entry *e, struct pane p, int y)
{
    int x = 0;
    for (int i = 0; i < t->ncolumns; i++) {
        if (f->width[i] == 0)
            continue;
        draw_cell(ui, t, e, i, p, y, x, f->width[i]);
        x += f->width[i] + 1;
    }
}

static void draw_empty(const struct ui *ui, const struct table *t, const struct table_state *s,
                       struct pane p)
{
    struct lines lines = {0};
    if (s->total > 0)
        lines_add(&lines, STYLE_TEXT, "None of %d row%s passes the filter \"%s\".  Esc removes it.",
                  s->total, s->total == 1 ? "" : "s", s->filter);
    else
        t->empty(ui, p.r.w - 2, &lines);
    lines_draw(&lines, pane_sub(p, 2, 1, p.r.h - 2, p.r.w - 1), 0);
    lines_finish(&lines);
}

void table_draw(const struct ui *ui, enum table_id id, struct pane p)
{
    const struct table *t = tables[id];
    const struct table_state *s = &ui->tables[id];
    struct fit fit;
    fit_columns(ui, t, s, p.r.w, &fit);
    draw_header(t, s, &fit, p);
    if (s->n == 0) {
        draw_empty(ui, t, s, p);
        return;
    }
    struct pane body = pane_sub(p, 1, 0, p.r.h - 1, p.r.w);
    for (int y = 0; y < body.r.h && s->top + y < s->n; y++) {
        draw_row(ui, t, &fit, &s->order[s->top + y], body, y);
        pane_hit(body, y, 0, 1, body.r.w, HIT_ROW, s->top + y);
        if (s->top + y == s->row)
            pane_mark(body, y, STYLE_SELECTED);
    }
    pane_highlight(body, ui->search, STYLE_MATCH);
}
