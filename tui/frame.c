// The whole screen: title, tabs, body of the view, status, key bar, and what lies over it.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "layout.h"
#include "text.h"
#include "view.h"

static int right_of(struct pane p, int end, enum style style, const char *text)
{
    int x = end - text_width(text);
    pane_text(p, 0, x, style, text);
    return x;
}

static void mode_text(const struct ui *ui, char *out, size_t size)
{
    if (ui->recorded && ui->length_ns != SNAP_UNKNOWN)
        snprintf(out, size, "%s %s of %s", ui->playing ? "PLAYING" : "RECORDED",
                 fmt_ns(ui->snap->now_ns).s, fmt_ns(ui->length_ns).s);
    else if (ui->recorded)
        snprintf(out, size, "RECORDED");
    else if (ui->detached)
        snprintf(out, size, "DETACHED");
    else if (ui->ended)
        snprintf(out, size, "ENDED");
    else if (ui->paused)
        snprintf(out, size, "PAUSED");
    else
        snprintf(out, size, "LIVE %.2gs", (double)ui->delay_ns / 1e9);
}

// Loss, estimates and own cost are data: always in sight. From the right, by rank.
static void draw_health(const struct ui *ui, struct pane p, int left)
{
    const struct snap *s = ui->snap;
    char text[128], mode[128];
    int x = p.r.w - 1;
    snprintf(text, sizeof(text), "%s UTC", fmt_clock(s->started_unix_ns + s->now_ns).s);
    x = right_of(p, x, STYLE_TEXT, text) - 3;
    snprintf(text, sizeof(text), "lost %s", fmt_count(s->agent.lost_records).s);
    x = right_of(p, x, s->agent.lost_records > 0 ? STYLE_CRITICAL : STYLE_DIM, text) - 3;
    mode_text(ui, mode, sizeof(mode));
    if (x - text_width(mode) > left) {
        bool live = !ui->paused && !ui->ended && !ui->recorded;
        x = right_of(p, x, live ? STYLE_OK : STYLE_BANNER, mode) - 3;
    }
    const char *backend = s->agent.backend ? s->agent.backend : "-";
    bool wide = x - left > 33; // the long form, and room for the cpu
    snprintf(text, sizeof(text), "%s%s", backend,
             !s->agent.turns_estimated ? ""
             : wide                    ? ", turns estimated"
                                       : ", est.");
    if (x - text_width(text) > left)
        x = right_of(p, x, s->agent.turns_estimated ? STYLE_WARNING : STYLE_DIM, text) - 3;
    snprintf(text, sizeof(text), "cpu %s%s", fmt_percent(s->agent.cpu_ratio).s,
             isnan(s->agent.cpu_ratio) ? "" : "%");
    if (x - text_width(text) > left)
        right_of(p, x, STYLE_DIM, text);
}

static void draw_title(const struct ui *ui, struct pane p)
{
    int x = pane_text(p, 0, 0, STYLE_STRONG, "loopscope");
    const struct snap *s = ui->snap;
    if (s && s->host.hostname)
        x = pane_printf(p, 0, x + 2, STYLE_TEXT, "%.20s", s->host.hostname);
    const char *source = s && s->source && !ui->recorded ? s->source : ui->source;
    if (source[0] && p.r.w >= 80)
        x = pane_printf(p, 0, x + 2, STYLE_SCOPE, "%.24s", source);
    if (ui->recording)
        x = pane_text(p, 0, x + 2, STYLE_BANNER, "REC");
    if (s)
        draw_health(ui, p, x + 2);
}

// As much of it as there is room for.
static void scope_text(const struct ui *ui, int room, char *out, size_t size)
{
    char name[128];
    const struct scope *s = &ui->nav.scope;
    out[0] = '\0';
    if (!ui->snap || s->pid == 0)
        return;
    subject_name(ui, s->pid, s->tid, name, sizeof(name));
    if (s->tid)
        snprintf(out, size, "%s  pid %d  tid %d", name, s->pid, s->tid);
    if (!s->tid || text_width(out) > room)
        snprintf(out, size, "%s  pid %d", name, s->pid);
    if (text_width(out) > room)
        snprintf(out, size, "%s", name);
}

static void count_text(const struct ui *ui, char *out, size_t size, enum style *style)
{
    int by[3] = {0};
    for (int i = 0; ui->snap && i < ui->snap->nfindings; i++)
        if (ui->snap->findings[i].open && (unsigned)ui->snap->findings[i].severity < 3)
            by[ui->snap->findings[i].severity]++;
    *style = by[SEV_CRITICAL] ? STYLE_CRITICAL : by[SEV_WARNING] ? STYLE_WARNING : STYLE_DIM;
    if (by[SEV_CRITICAL] + by[SEV_WARNING] + by[SEV_INFO] == 0)
        snprintf(out, size, "findings none");
    else
        snprintf(out, size, "findings !!%d !%d .%d", by[SEV_CRITICAL], by[SEV_WARNING],
                 by[SEV_INFO]);
}

static void draw_tabs(const struct ui *ui, struct pane p)
{
    int x = 0;
    char text[256];
    for (int v = 0; v < VIEW_CHOOSE; v++) {
        bool open = ui->nav.view == (enum view_id)v;
        int from = x;
        x = pane_printf(p, 0, x, open ? STYLE_TAB : STYLE_TEXT, open ? "[%d %s]" : " %d %s ", v + 1,
                        views[v]->name);
        pane_hit(p, 0, from, 1, x - from, HIT_TAB, v);
        x += p.r.w >= 80 ? 2 : 0;
    }
    enum style style = STYLE_SCOPE;
    scope_text(ui, p.r.w - 2 - x, text, sizeof(text));
    if (!text[0])
        count_text(ui, text, sizeof(text), &style);
    if (p.r.w - 1 - text_width(text) > x)
        right_of(p, p.r.w - 1, style, text);
}

static void draw_rule(const struct ui *ui, struct pane p)
{
    char text[400];
    pane_rule(p, 0);
    if (message_banner(ui, text, sizeof(text))) {
        pane_field(p, 0, 0, p.r.w, false, STYLE_BANNER, "");
        pane_text(p, 0, 1, STYLE_BANNER, text);
    }
}

static void draw_page(const struct ui *ui, struct pane p)
{
    struct lines lines = {0};
    views[ui->nav.view]->page(ui, p.r.w - 3, &lines);
    if (lines.n == 0)
        lines_add(&lines, STYLE_DIM, "This item is not in this picture.  Esc goes back.");
    int top = ui->page_top < lines.n ? ui->page_top : lines.n - 1;
    struct lines rest = {lines.n - top, 0, lines.v + top};
    struct pane body = pane_sub(p, 0, 0, p.r.h, p.r.w);
    for (int y = 0; y < body.r.h && y < rest.n; y++) {
        struct lines one = {1, 1, rest.v + y};
        lines_draw(&one, pane_sub(body, y, 0, 1, body.r.w), 0);
    }
    pane_highlight(body, ui->search, STYLE_MATCH);
    lines_finish(&lines);
}

static void draw_view(const struct ui *ui, struct canvas *c, struct rect body)
{
    const struct view *v = views[ui->nav.view];
    struct split s = view_split(ui, body);
    if (s.head.h > 0) {
        v->head(ui, canvas_pane(c, s.head));
        pane_rule(canvas_pane(c, (struct rect){s.head.y + s.head.h, body.x, 1, body.w}), 0);
    }
    table_draw(ui, open_table(ui), canvas_pane(c, s.table));
    if (s.detail.h > 0) {
        pane_rule(canvas_pane(c, (struct rect){s.detail.y - 1, body.x, 1, body.w}), 0);
        view_detail(ui, canvas_pane(c, s.detail));
    }
}

static void draw_waiting(const struct ui *ui, struct pane p)
{
    struct lines lines = {0};
    message_waiting(ui, p.r.w - 4, &lines);
    lines_draw(&lines, pane_sub(p, p.r.h > 12 ? 3 : 1, 2, p.r.h - 1, p.r.w - 2), 0);
    lines_finish(&lines);
}

static void draw_body(const struct ui *ui, struct canvas *c, struct rect body)
{
    struct pane p = canvas_pane(c, body);
    if (!ui->snap)
        draw_waiting(ui, p);
    else if (ui->nav.page && views[ui->nav.view]->page)
        draw_page(ui, p);
    else
        draw_view(ui, c, body);
}

static int draw_crumbs(const struct ui *ui, struct pane p, int x)
{
    for (int i = 0; i <= ui->nstack; i++) {
        const struct nav *n = i < ui->nstack ? &ui->stack[i] : &ui->nav;
        if (i > 0)
            x = pane_glyph(p, 0, x, STYLE_DIM, GLYPH_PATH) + 1;
        const char *name = n->docs   ? "rule"
                           : n->page ? "item"
                           : n->site ? "site"
                                     : views[n->view]->name;
        x = pane_text(p, 0, x, STYLE_SCOPE, name) + 1;
    }
    return x;
}

static int draw_sort(const struct ui *ui, struct pane p, int x)
{
    const struct table *t = tables[open_table(ui)];
    const struct table_state *s = ui_table_const(ui);
    const char *by = t->arrange ? "tree" : s->sort < 0 ? "severity" : t->columns[s->sort].title;
    if (s->sort == 0)
        by = "severity";
    x = pane_printf(p, 0, x, STYLE_TEXT, "sort: %s%s", by, s->invert ? " inverted" : "");
    if (s->follow)
        x = pane_text(p, 0, x, STYLE_BANNER, " kept on top");
    x = pane_text(p, 0, x + 2, STYLE_TEXT, "filter: ");
    return pane_text(p, 0, x, s->filter[0] ? STYLE_BANNER : STYLE_TEXT,
                     s->filter[0] ? s->filter : "none") +
           2;
}

static const char *const prompts[] = {
    [INPUT_SEARCH] = "search: ",
    [INPUT_FILTER] = "filter (!x: all but x): ",
    [INPUT_RECORD] = "record to: ",
    [INPUT_EXPORT] = "export to (.html .json .md .txt .folded ...): ",
};

static void draw_status(const struct ui *ui, struct pane p)
{
    if (ui->input.kind != INPUT_NONE) {
        int x = pane_text(p, 0, 1, STYLE_STRONG, prompts[ui->input.kind]);
        x = pane_text(p, 0, x, STYLE_TEXT, ui->input.text);
        pane_text(p, 0, x, STYLE_TEXT | STYLE_SELECTED, " ");
        if (ui->message[0])
            pane_text(p, 0, x + 3, STYLE_WARNING, ui->message);
        return;
    }
    if (ui->message[0]) {
        pane_text(p, 0, 1, STYLE_WARNING, ui->message);
        return;
    }
    int x = ui->nstack > 0 ? draw_crumbs(ui, p, 1) + 1 : 1;
    if (!ui->nav.page && ui->snap)
        x = draw_sort(ui, p, x);
    char text[200];
    const struct table_state *t = ui_table_const(ui);
    const struct view *v = views[ui->nav.view];
    snprintf(text, sizeof(text), "%s  ? keys",
             ui->nav.page  ? "j k scroll  c copy  Esc: back"
             : v->hint_now ? v->hint_now(ui)
                           : v->hint);
    int left =
        right_of(p, p.r.w - 1, STYLE_DIM, text_width(text) < p.r.w - x - 2 ? text : "? keys");
    snprintf(text, sizeof(text),
             t->n < t->total ? "%d of %d rows"
             : t->n == 1     ? "%d row"
                             : "%d rows",
             t->n, t->total);
    if (!ui->nav.page && ui->snap && x + text_width(text) + 2 < left)
        pane_text(p, 0, x, STYLE_DIM, text);
}

// One F key in the bar: what it does in this view, greyed when it cannot.
static void draw_key(const struct ui *ui, struct pane p, int i, int x, int w)
{
    enum command c = key_command(K_F1 + i, ui->nav.view);
    const struct binding *b = c != CMD_NONE ? key_binding(c, ui->nav.view) : NULL;
    bool able = b && !ui_why_not(ui, c);
    int at = pane_printf(p, 0, x, STYLE_KEY, "F%d", i + 1);
    const char *label = b && b->bar ? b->bar : "";
    if (c == CMD_RECORD && ui->recording)
        label = "Stop";
    if (c == CMD_PAUSE && ui->paused)
        label = "Resume";
    enum style style = able ? STYLE_KEY_LABEL : STYLE_DISABLED;
    pane_field(p, 0, at, w - (at - x), false, style, "");
    pane_clipped(pane_sub(p, 0, at, 1, w - (at - x)), 0, 0, style, label);
    if (c != CMD_NONE)
        pane_hit(p, 0, x, 1, w, HIT_COMMAND, (int)c);
}

#define LAST_KEY 7 // "F10Quit" is always whole

static void draw_keys(const struct ui *ui, struct pane p)
{
    for (int i = 0; i < 10; i++) {
        int x = (p.r.w - LAST_KEY) * i / 9, end = (p.r.w - LAST_KEY) * (i + 1) / 9;
        draw_key(ui, p, i, x, i == 9 ? LAST_KEY : end - x);
    }
}

static void draw_too_small(struct canvas *c)
{
    struct lines lines = {0};
    char text[128];
    snprintf(text, sizeof(text), "loopscope needs %dx%d, this is %dx%d.", LAYOUT_MIN_COLS,
             LAYOUT_MIN_ROWS, c->cols, c->rows);
    lines_wrap(&lines, STYLE_TEXT, "", 0, c->cols, text);
    for (int y = 0; y < lines.n && y < c->rows; y++)
        pane_text(canvas_pane(c, (struct rect){0, 0, c->rows, c->cols}), y, 0, STYLE_TEXT,
                  lines.v[y].text);
    lines_finish(&lines);
}

void frame_draw(const struct ui *ui, struct canvas *c)
{
    struct layout l = layout_screen(c->rows, c->cols);
    canvas_clear(c);
    if (l.too_small) {
        draw_too_small(c);
        return;
    }
    draw_title(ui, canvas_pane(c, l.title));
    draw_tabs(ui, canvas_pane(c, l.tabs));
    draw_rule(ui, canvas_pane(c, l.rule));
    draw_body(ui, c, l.body);
    pane_rule(canvas_pane(c, l.status_rule), 0);
    draw_status(ui, canvas_pane(c, l.status));
    draw_keys(ui, canvas_pane(c, l.keys));
    if (ui->overlay == OVERLAY_HELP)
        help_draw(ui, c);
    else if (ui->overlay != OVERLAY_NONE)
        menu_draw(ui, c);
}

void frame_draw_text(struct ui *ui, struct canvas *c, enum view_id view, bool title)
{
    const struct view *v = views[view];
    ui->nav.view = view;
    ui_changed(ui);
    rows_update(ui, open_table(ui));
    rows_settle(ui, open_table(ui), 0, ui_table(ui)->n);
    int items = ui_table(ui)->n, y = title ? 2 : 0;
    int rows = y + (v->head ? v->head_rows + 1 : 0) + 1 + (items > 3 ? items : 14);
    if (items > 0)
        rows += 1 + v->detail_rows;
    canvas_resize(c, rows, c->cols);
    ui_resize(ui, rows, c->cols);
    ui_table(ui)->top = 0;
    ui_table(ui)->row = -1; // no cursor on paper
    if (title) {
        draw_title(ui, canvas_pane(c, (struct rect){0, 0, 1, c->cols}));
        draw_rule(ui, canvas_pane(c, (struct rect){1, 0, 1, c->cols}));
    }
    draw_body(ui, c, (struct rect){y, 0, rows - y, c->cols});
}
