// Descriptors by the stack that opened them: the unit of a leak is its opening site, not the number.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "format.h"
#include "text.h"
#include "view.h"

enum {
    COL_MARK,
    COL_SITE,
    COL_KIND,
    COL_OPEN,
    COL_OPENED,
    COL_CLOSED,
    COL_GROWTH,
    COL_OLDEST,
    COL_VERDICT
};

static const struct column columns[] = {
    [COL_MARK] = {.title = "", .width = 2},
    [COL_SITE] = {.title = "OPENED AT (leaf first)", .width = 24, .text = true, .flex = true},
    [COL_KIND] = {.title = "KIND", .width = 7, .text = true, .priority = 4},
    [COL_OPEN] = {.title = "OPEN", .width = 6, .right = true, .big_first = true},
    [COL_OPENED] = {.title = "OPENED", .width = 7, .right = true, .priority = 6, .big_first = true},
    [COL_CLOSED] = {.title = "CLOSED", .width = 7, .right = true, .priority = 5, .big_first = true},
    [COL_GROWTH] = {.title = "GROWTH", .width = 8, .right = true, .priority = 1, .big_first = true},
    [COL_OLDEST] = {.title = "OLDEST", .width = 6, .right = true, .priority = 3, .big_first = true},
    [COL_VERDICT] = {.title = "VERDICT", .width = 8, .text = true, .priority = 2},
};

static const struct snap_fd_site *at(const struct ui *ui, int i)
{
    return &ui->snap->fds[i];
}

static int count(const struct ui *ui)
{
    return ui->snap->nfds;
}

// 0 leak, 1 suspect, 2 ok, 3 unknown.
static int verdict_rank(const struct snap_fd_site *s)
{
    static const char *const verdicts[] = {"leak", "suspect", "ok"};
    for (int i = 0; i < 3; i++)
        if (s->verdict && strcmp(s->verdict, verdicts[i]) == 0)
            return i;
    return 3;
}

static bool include(const struct ui *ui, int i)
{
    if (!ui_in_scope(ui, at(ui, i)->pid, 0))
        return false;
    return !ui->suspects_only || verdict_rank(at(ui, i)) < 2;
}

static uint64_t id(const struct ui *ui, int i)
{
    const struct snap_fd_site *s = at(ui, i);
    uint64_t h = hash_text(HASH_START ^ (uint64_t)s->pid, s->kind);
    if (s->note)
        h = hash_text(h, s->note);
    return s->stack ? hash_text(h, s->stack->id) : h;
}

static int64_t rate_key(double per_s)
{
    return isnan(per_s) ? SNAP_UNKNOWN : (int64_t)(per_s * 1e6);
}

static int64_t key(const struct ui *ui, int i, int column)
{
    const struct snap_fd_site *s = at(ui, i);
    switch (column) {
    case COL_OPEN: return s->open;
    case COL_OPENED: return s->opened;
    case COL_CLOSED: return s->closed;
    case COL_GROWTH: return rate_key(s->growth_per_s);
    case COL_OLDEST: return s->oldest_ns;
    default: return verdict_rank(s) * (1LL << 40) - (s->open > 0 ? s->open : 0);
    }
}

static const char *site_text(const struct snap_fd_site *s, char *buf, size_t size)
{
    bool no_line = s->note && (!s->stack || strncmp(s->note, "no line", 7) == 0);
    if (no_line)
        snprintf(buf, size, "(%s)", s->note);
    else if (s->stack)
        describe_stack(s->stack, buf, size);
    else
        snprintf(buf, size, "(not tracked: o follows the openers)");
    return buf;
}

static const char *text(const struct ui *ui, int i, int column, char *buf, size_t size)
{
    const struct snap_fd_site *s = at(ui, i);
    if (column == COL_SITE)
        return site_text(s, buf, size);
    const char *value = column == COL_KIND ? s->kind : s->verdict;
    return value ? value : "-";
}

static enum style verdict_style(int rank)
{
    return rank == 0   ? STYLE_CRITICAL
           : rank == 1 ? STYLE_WARNING
           : rank == 2 ? STYLE_OK
                       : STYLE_DIM;
}

static void cell(const struct ui *ui, int i, int column, struct cell_text *out)
{
    const struct snap_fd_site *s = at(ui, i);
    int rank = verdict_rank(s);
    struct fmt f = {0};
    switch (column) {
    case COL_MARK:
        out->style = verdict_style(rank);
        snprintf(out->text, sizeof(out->text), "%s", rank == 0 ? "!!" : rank == 1 ? "!" : "");
        return;
    case COL_OPEN: f = fmt_count(s->open); break;
    case COL_OPENED: f = fmt_count(s->opened); break;
    case COL_CLOSED: f = fmt_count(s->closed); break;
    case COL_GROWTH: f = fmt_growth(s->growth_per_s); break;
    case COL_OLDEST: f = fmt_ns(s->oldest_ns); break;
    case COL_VERDICT: out->style = verdict_style(rank); // fall through
    default: cell_set(out, text(ui, i, column, out->text, sizeof(out->text))); return;
    }
    snprintf(out->text, sizeof(out->text), "%s", f.s);
}

const struct table table_fds = {
    .name = "fds",
    .columns = columns,
    .ncolumns = sizeof(columns) / sizeof(*columns),
    .count = count,
    .include = include,
    .id = id,
    .key = key,
    .text = text,
    .cell = cell,
    .empty = message_fds,
};

static int draw_kinds(const struct ui *ui, struct pane p, int y)
{
    struct {
        const char *kind;
        int64_t open;
    } kinds[8] = {{0}};
    int n = 0;
    for (int i = 0; i < ui->snap->nfds; i++) {
        const struct snap_fd_site *s = at(ui, i);
        if (!ui_in_scope(ui, s->pid, 0) || !s->kind || s->open <= 0)
            continue;
        int k = 0;
        while (k < n && strcmp(kinds[k].kind, s->kind) != 0)
            k++;
        if (k == 8)
            continue;
        n = k == n ? n + 1 : n;
        kinds[k].kind = s->kind;
        kinds[k].open += s->open;
    }
    int x = pane_text(p, y, 1, STYLE_DIM, "by kind  ");
    for (int k = 0; k < n; k++)
        x = pane_printf(p, y, x, STYLE_TEXT, "%s %s   ", kinds[k].kind, fmt_count(kinds[k].open).s);
    return x;
}

// Seconds until the limit at the present growth; SNAP_UNKNOWN: never, or not known.
static int64_t limit_reached_ns(const struct ui *ui, const struct snap_process *p)
{
    double growth = 0;
    for (int i = 0; i < ui->snap->nfds; i++)
        if (at(ui, i)->pid == p->pid && !isnan(at(ui, i)->growth_per_s))
            growth += at(ui, i)->growth_per_s;
    if (growth * 3600 < 1 || p->fd_count == SNAP_UNKNOWN || p->fd_limit == SNAP_UNKNOWN)
        return SNAP_UNKNOWN;
    double seconds = (double)(p->fd_limit - p->fd_count) / growth;
    return seconds < 30 * 86400.0 ? (int64_t)(seconds * 1e9) : SNAP_UNKNOWN;
}

#define OPENERS_WIDTH 38

static void head(const struct ui *ui, struct pane p)
{
    const struct snap_process *worst = NULL;
    for (int i = 0; i < ui->snap->nprocesses; i++) {
        const struct snap_process *q = &ui->snap->processes[i];
        if (ui_in_scope(ui, q->pid, 0) && q->fd_count != SNAP_UNKNOWN &&
            (!worst || q->fd_count > worst->fd_count))
            worst = q;
    }
    if (worst) {
        int64_t in = limit_reached_ns(ui, worst);
        int x =
            pane_printf(p, 0, 1, STYLE_STRONG, "%s (%d)  OPEN %s", worst->name ? worst->name : "?",
                        worst->pid, fmt_count(worst->fd_count).s);
        if (worst->fd_limit > 0)
            x = pane_printf(p, 0, x, STYLE_TEXT, "  limit %s (%.0f %%)",
                            fmt_count(worst->fd_limit).s,
                            100.0 * (double)worst->fd_count / (double)worst->fd_limit);
        if (in != SNAP_UNKNOWN)
            pane_printf(p, 0, x, STYLE_WARNING, "  reached in %s at this rate", fmt_ns(in).s);
    }
    int x = draw_kinds(ui, p, 1);
    const char *openers = ui->opening_stacks           ? "opening stacks on (o)"
                          : x + OPENERS_WIDTH <= p.r.w ? "opening stacks as rules need them (o)"
                                                       : "o: opening stacks";
    pane_text(p, 1, x, ui->opening_stacks ? STYLE_BANNER : STYLE_DIM, openers);
}

static void detail_row(const struct snap_fd *d, struct lines *out)
{
    char owner[128] = "";
    if (d->task.id)
        snprintf(owner, sizeof(owner), "#%s %s", d->task.id, d->task.name ? d->task.name : "");
    lines_add(out, STYLE_TEXT, "%6d  %-11.11s %6s %6s %6s %6s  %-30.60s %s", d->fd,
              d->state ? d->state : "-", fmt_ns(d->age_ns).s, fmt_ns(d->idle_ns).s,
              fmt_bytes(d->rx).s, fmt_bytes(d->tx).s, d->target ? d->target : "-", owner);
}

static void summary(const struct ui *ui, const struct snap_fd_site *s, int width, struct lines *out)
{
    char where[400];
    lines_wrap(out, verdict_style(verdict_rank(s)), "", 0, width,
               site_text(s, where, sizeof(where)));
    lines_add(out, STYLE_TEXT, "%s opened, %s closed since attach; %s open, the oldest for %s",
              fmt_count(s->opened).s, fmt_count(s->closed).s, fmt_count(s->open).s,
              fmt_ns(s->oldest_ns).s);
    for (int i = 0; i < ui->snap->nfindings; i++) {
        const struct finding *f = &ui->snap->findings[i];
        if (f->open && f->pid == s->pid && f->stack && s->stack &&
            strcmp(f->stack->id, s->stack->id) == 0)
            lines_wrap(out, style_of(f->severity), "", 0, width, f->title ? f->title : "-");
    }
}

static void detail_rows(const struct snap_fd_site *s, struct lines *out)
{
    lines_add(out, STYLE_HEADER,
              "    FD  STATE          AGE   IDLE     RX     TX  %-30s OWNER TASK", "PEER / PATH");
    for (int i = 0; i < s->ndetail; i++)
        detail_row(&s->detail[i], out);
    if (s->ndetail == 0)
        lines_add(out, STYLE_DIM,
                  "  the descriptors of this site are being asked for, or not known");
}

static void detail(const struct ui *ui, struct pane p)
{
    int i = ui_selected(ui, TABLE_FDS);
    if (i < 0)
        return;
    struct lines lines = {0};
    summary(ui, at(ui, i), p.r.w - 2, &lines);
    struct snap_fd_site cut = *at(ui, i);
    int room = p.r.h - lines.n - 2; // a header before them, a count after them
    room = room > 1 ? room : 1;
    if (cut.ndetail > room)
        cut.ndetail = room;
    detail_rows(&cut, &lines);
    if (cut.ndetail < at(ui, i)->ndetail)
        lines_add(&lines, STYLE_DIM, "    ... %d more (Enter)", at(ui, i)->ndetail - cut.ndetail);
    lines_draw(&lines, p, 0);
    lines_finish(&lines);
}

static void page(const struct ui *ui, int width, struct lines *out)
{
    int i = ui_selected(ui, TABLE_FDS);
    if (i < 0)
        return;
    summary(ui, at(ui, i), width, out);
    lines_add(out, STYLE_TEXT, "%s", "");
    lines_add(out, STYLE_STRONG, "OPENED AT, leaf first");
    describe_frames(at(ui, i)->stack, false, out);
    lines_add(out, STYLE_TEXT, "%s", "");
    detail_rows(at(ui, i), out);
}

const struct view view_fds = {
    .name = "Fds",
    .head_rows = 2,
    .detail_rows = 12,
    .table = TABLE_FDS,
    .head = head,
    .detail = detail,
    .page = page,
    .hint = "Enter: full stack  o: opening stacks  u: suspects  c: copy",
};
