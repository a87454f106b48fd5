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

static void mode_text(const struct model *m, char *out, size_t size)
{
    if (m->recorded && m->length_ns != SNAP_UNKNOWN)
        snprintf(out, size, "%s %s of %s", m->playing ? "PLAYING" : "RECORDED",
                 fmt_ns(m->snap->now_ns).s, fmt_ns(m->length_ns).s);
    else if (m->recorded)
        snprintf(out, size, "RECORDED");
    else if (m->ended)
        snprintf(out, size, "ENDED");
    else if (m->paused)
        snprintf(out, size, "PAUSED");
    else
        snprintf(out, size, "LIVE %.2gs", (double)m->delay_ns / 1e9);
}

// Loss, estimates and own cost are data: always in sight. From the right, by rank.
static void draw_health(const struct model *m, struct pane p, int left)
{
    const struct snap *s = m->snap;
    char text[128], mode[128];
    int x = p.r.w - 1;
    snprintf(text, sizeof(text), "%s UTC", fmt_clock(s->started_unix_ns + s->now_ns).s);
    x = right_of(p, x, STYLE_TEXT, text) - 3;
    snprintf(text, sizeof(text), "lost %s", fmt_count(s->agent.lost_records).s);
    x = right_of(p, x, s->agent.lost_records > 0 ? STYLE_CRITICAL : STYLE_DIM, text) - 3;
    mode_text(m, mode, sizeof(mode));
    if (x - text_width(mode) > left) {
        bool live = !m->paused && !m->ended && !m->recorded;
        x = right_of(p, x, live ? STYLE_OK : STYLE_BANNER, mode) - 3;
    }
    const char *backend = s->agent.backend ? s->agent.backend : "-";
    bool wide = x - left > 40;
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

static void draw_title(const struct model *m, struct pane p)
{
    int x = pane_text(p, 0, 0, STYLE_STRONG, "loopscope");
    const struct snap *s = m->snap;
    if (s && s->host.hostname)
        x = pane_printf(p, 0, x + 2, STYLE_TEXT, "%.20s", s->host.hostname);
    const char *source = m->source[0] ? m->source : s ? s->source : NULL;
    if (source && p.r.w >= 80)
        x = pane_printf(p, 0, x + 2, STYLE_SCOPE, "%.24s", source);
    if (m->recording)
        x = pane_text(p, 0, x + 2, STYLE_BANNER, "REC");
    if (s)
        draw_health(m, p, x + 2);
}

static void scope_text(const struct model *m, char *out, size_t size)
{
    char name[128];
    const struct scope *s = &m->nav.scope;
    out[0] = '\0';
    if (!m->snap || s->pid == 0)
        return;
    subject_name(m, s->pid, s->tid, name, sizeof(name));
    if (s->tid)
        snprintf(out, size, "%s  pid %d  tid %d", name, s->pid, s->tid);
    else
        snprintf(out, size, "%s  pid %d", name, s->pid);
}

static void count_text(const struct model *m, char *out, size_t size, enum style *style)
{
    int by[3] = {0};
    for (int i = 0; m->snap && i < m->snap->nfindings; i++)
        if (m->snap->findings[i].open && (unsigned)m->snap->findings[i].severity < 3)
            by[m->snap->findings[i].severity]++;
    *style = by[SEV_CRITICAL] ? STYLE_CRITICAL : by[SEV_WARNING] ? STYLE_WARNING : STYLE_DIM;
    snprintf(out, size, "findings !!%d !%d .%d", by[SEV_CRITICAL], by[SEV_WARNING], by[SEV_INFO]);
}

static void draw_tabs(const struct model *m, struct pane p)
{
    int x = 0;
    char text[256];
    for (int v = 0; v < VIEW_CHOOSE; v++) {
        bool open = m->nav.view == (enum view_id)v;
        int from = x;
        x = pane_printf(p, 0, x, open ? STYLE_TAB : STYLE_TEXT, open ? "[%d %s]" : " %d %s ", v + 1,
                        views[v]->name);
        pane_hit(p, 0, from, 1, x - from, HIT_TAB, v);
        x += p.r.w >= 80 ? 2 : 0;
    }
    enum style style = STYLE_SCOPE;
    scope_text(m, text, sizeof(text));
    if (!text[0])
        count_text(m, text, sizeof(text), &style);
    if (p.r.w - 1 - text_width(text) > x)
        right_of(p, p.r.w - 1, style, text);
}

static void draw_rule(const struct model *m, struct pane p)
{
    char text[400];
    pane_rule(p, 0);
    if (message_banner(m, text, sizeof(text))) {
        pane_field(p, 0, 0, p.r.w, false, STYLE_BANNER, "");
        pane_text(p, 0, 1, STYLE_BANNER, text);
    }
}

static void draw_page(const struct model *m, struct pane p)
{
    struct lines lines = {0};
    views[m->nav.view]->page(m, p.r.w - 3, &lines);
    if (lines.n == 0)
        lines_add(&lines, STYLE_DIM, "This item is not in this picture.  Esc goes back.");
    int top = m->page_top < lines.n ? m->page_top : lines.n - 1;
    struct lines rest = {lines.n - top, 0, lines.v + top};
    struct pane body = pane_sub(p, 0, 0, p.r.h, p.r.w);
    for (int y = 0; y < body.r.h && y < rest.n; y++) {
        struct lines one = {1, 1, rest.v + y};
        lines_draw(&one, pane_sub(body, y, 0, 1, body.r.w), 0);
    }
    pane_highlight(body, m->search, STYLE_MATCH);
    lines_finish(&lines);
}

static void draw_view(const struct model *m, struct canvas *c, struct rect body)
{
    const struct view *v = views[m->nav.view];
    enum table_id t = v->table(m);
    struct split s = layout_split(body, v->head ? v->head_rows : 0, m->tables[t].n,
                                  v->detail ? v->detail_rows : 0);
    if (s.head.h > 0) {
        v->head(m, canvas_pane(c, s.head));
        pane_rule(canvas_pane(c, (struct rect){s.head.y + s.head.h, body.x, 1, body.w}), 0);
    }
    table_draw(m, t, canvas_pane(c, s.table));
    if (s.detail.h > 0) {
        pane_rule(canvas_pane(c, (struct rect){s.detail.y - 1, body.x, 1, body.w}), 0);
        if (m->tables[t].n > 0)
            v->detail(m, canvas_pane(c, s.detail));
    }
}

static void draw_waiting(const struct model *m, struct pane p)
{
    struct lines lines = {0};
    message_waiting(m, p.r.w - 4, &lines);
    lines_draw(&lines, pane_sub(p, p.r.h > 12 ? 3 : 1, 2, p.r.h - 1, p.r.w - 2), 0);
    lines_finish(&lines);
}

static void draw_body(const struct model *m, struct canvas *c, struct rect body)
{
    struct pane p = canvas_pane(c, body);
    if (!m->snap)
        draw_waiting(m, p);
    else if (m->nav.page && views[m->nav.view]->page)
        draw_page(m, p);
    else
        draw_view(m, c, body);
}

static int draw_crumbs(const struct model *m, struct pane p, int x)
{
    for (int i = 0; i <= m->nstack; i++) {
        const struct nav *n = i < m->nstack ? &m->stack[i] : &m->nav;
        if (i > 0)
            x = pane_glyph(p, 0, x, STYLE_DIM, GLYPH_PATH) + 1;
        const char *name = n->page ? "item" : n->site ? "site" : views[n->view]->name;
        x = pane_text(p, 0, x, STYLE_SCOPE, name) + 1;
    }
    return x;
}

static int draw_sort(const struct model *m, struct pane p, int x)
{
    const struct view *v = views[m->nav.view];
    const struct table *t = tables[v->table(m)];
    const struct table_state *s = model_table_const(m);
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

static void draw_status(const struct model *m, struct pane p)
{
    if (m->input.kind != INPUT_NONE) {
        int x = pane_text(p, 0, 1, STYLE_STRONG, prompts[m->input.kind]);
        x = pane_text(p, 0, x, STYLE_TEXT, m->input.text);
        pane_text(p, 0, x, STYLE_TEXT | STYLE_SELECTED, " ");
        if (m->message[0])
            pane_text(p, 0, x + 3, STYLE_WARNING, m->message);
        return;
    }
    if (m->message[0]) {
        pane_text(p, 0, 1, STYLE_WARNING, m->message);
        return;
    }
    int x = m->nstack > 0 ? draw_crumbs(m, p, 1) + 1 : 1;
    if (!m->nav.page && m->snap)
        x = draw_sort(m, p, x);
    char text[200];
    const struct table_state *t = model_table_const(m);
    snprintf(text, sizeof(text), "%s  ? keys",
             m->nav.page ? "j k scroll  c copy  Esc: back" : views[m->nav.view]->hint);
    int left =
        right_of(p, p.r.w - 1, STYLE_DIM, text_width(text) < p.r.w - x - 2 ? text : "? keys");
    snprintf(text, sizeof(text),
             t->n < t->total ? "%d of %d rows"
             : t->n == 1     ? "%d row"
                             : "%d rows",
             t->n, t->total);
    if (!m->nav.page && m->snap && x + text_width(text) + 2 < left)
        pane_text(p, 0, x, STYLE_DIM, text);
}

// One F key in the bar: what it does in this view, greyed when it cannot.
static void draw_key(const struct model *m, struct pane p, int i, int x, int w)
{
    enum command c = key_command(K_F1 + i, m->nav.view);
    const struct binding *b = c != CMD_NONE ? key_binding(c, m->nav.view) : NULL;
    bool able = b && !model_why_not(m, c);
    int at = pane_printf(p, 0, x, STYLE_KEY, "F%d", i + 1);
    const char *label = b && b->bar ? b->bar : "";
    if (c == CMD_RECORD && m->recording)
        label = "Stop";
    if (c == CMD_PAUSE && m->paused)
        label = "Resume";
    pane_field(p, 0, at, w - (at - x), false, able ? STYLE_KEY_LABEL : STYLE_DISABLED, label);
    if (c != CMD_NONE)
        pane_hit(p, 0, x, 1, w, HIT_COMMAND, (int)c);
}

static void draw_keys(const struct model *m, struct pane p)
{
    for (int i = 0; i < 10; i++) {
        int x = p.r.w * i / 10;
        draw_key(m, p, i, x, p.r.w * (i + 1) / 10 - x);
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

void frame_draw(const struct model *m, struct canvas *c)
{
    struct layout l = layout_screen(c->rows, c->cols);
    canvas_clear(c);
    if (l.too_small) {
        draw_too_small(c);
        return;
    }
    draw_title(m, canvas_pane(c, l.title));
    draw_tabs(m, canvas_pane(c, l.tabs));
    draw_rule(m, canvas_pane(c, l.rule));
    draw_body(m, c, l.body);
    pane_rule(canvas_pane(c, l.status_rule), 0);
    draw_status(m, canvas_pane(c, l.status));
    draw_keys(m, canvas_pane(c, l.keys));
    if (m->overlay == OVERLAY_HELP)
        help_draw(m, c);
    else if (m->overlay != OVERLAY_NONE)
        menu_draw(m, c);
}

void frame_draw_text(struct model *m, struct canvas *c, enum view_id view)
{
    const struct view *v = views[view];
    m->nav.view = view;
    model_changed(m);
    rows_update(m, v->table(m));
    int items = model_table(m)->n;
    int rows = 3 + (v->head ? v->head_rows + 1 : 0) + 1 + (items > 3 ? items : 14);
    if (v->detail && items > 0)
        rows += 1 + v->detail_rows;
    canvas_resize(c, rows, c->cols);
    model_resize(m, rows, c->cols);
    model_table(m)->top = 0;
    model_table(m)->row = -1; // no cursor on paper
    draw_title(m, canvas_pane(c, (struct rect){0, 0, 1, c->cols}));
    draw_rule(m, canvas_pane(c, (struct rect){1, 0, 1, c->cols}));
    draw_body(m, c, (struct rect){2, 0, rows - 2, c->cols});
}
