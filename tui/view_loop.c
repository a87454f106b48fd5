// One loop: what it does now, how long its turns were, which callbacks blocked it and where.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "chart.h"
#include "describe.h"
#include "format.h"
#include "series.h"
#include "text.h"
#include "view.h"

enum { COL_MARK, COL_CULPRIT, COL_PLACE, COL_CAUSE, COL_TOTAL, COL_COUNT, COL_MAX, COL_WHEN };

static const struct column columns[] = {
    [COL_MARK] = {.title = "", .width = 2},
    [COL_CULPRIT] = {.title = "STALLS BY CULPRIT", .width = 18, .text = true, .flex = true},
    [COL_PLACE] = {.title = "AT", .width = 14, .text = true, .flex = true, .priority = 4},
    [COL_CAUSE] = {.title = "CAUSE", .width = 12, .text = true, .flex = true, .priority = 3},
    [COL_TOTAL] = {.title = "total", .width = 7, .right = true, .priority = 2, .big_first = true},
    [COL_COUNT] = {.title = "count", .width = 6, .right = true, .priority = 1, .big_first = true},
    [COL_MAX] = {.title = "max", .width = 6, .right = true, .big_first = true},
    [COL_WHEN] = {.title = "when", .width = 10, .right = true, .priority = 5, .big_first = true},
};

// Items: findings (stalls by culprit), then open stalls that have no finding yet, then calls that were
// summed below the stall threshold.
struct item {
    const struct finding *finding;
    const struct snap_stall *stall;
    const struct snap_calls *calls;
};

static struct item at(const struct ui *ui, int i)
{
    const struct snap *s = ui->snap;
    if (i < s->nfindings)
        return (struct item){.finding = &s->findings[i]};
    i -= s->nfindings;
    if (i < s->nstalls)
        return (struct item){.stall = &s->stalls[i]};
    return (struct item){.calls = &s->calls[i - s->nstalls]};
}

static int count(const struct ui *ui)
{
    return ui->snap->nfindings + ui->snap->nstalls + ui->snap->ncalls;
}

static bool is_loop_finding(const struct finding *f)
{
    return f->rule && strncmp(f->rule, "loop-", 5) == 0 && f->tid != 0;
}

static bool has_finding(const struct ui *ui, const struct snap_stall *st)
{
    for (int i = 0; i < ui->snap->nfindings; i++) {
        const struct finding *f = &ui->snap->findings[i];
        if (is_loop_finding(f) && f->pid == st->pid && f->tid == st->tid && f->still_open)
            return true;
    }
    return false;
}

static bool include(const struct ui *ui, int i)
{
    struct item it = at(ui, i);
    const struct scope *s = &ui->nav.scope;
    if (it.finding)
        return is_loop_finding(it.finding) && it.finding->pid == s->pid &&
               it.finding->tid == s->tid;
    if (it.stall)
        return it.stall->open && it.stall->pid == s->pid && it.stall->tid == s->tid &&
               !has_finding(ui, it.stall);
    return it.calls->pid == s->pid && it.calls->tid == s->tid;
}

static uint64_t id(const struct ui *ui, int i)
{
    struct item it = at(ui, i);
    if (it.finding)
        return hash_text(HASH_START, it.finding->id);
    if (it.stall)
        return hash_text(it.stall->id, "stall");
    return hash_text(HASH_START ^ (uint64_t)it.calls->tid,
                     it.calls->stack ? it.calls->stack->id : "") ^
           hash_text(HASH_START, it.calls->cause.syscall);
}

static const struct stack *stack_of(struct item it)
{
    if (it.finding)
        return it.finding->stack;
    if (it.calls)
        return it.calls->stack;
    for (int i = 0; i < it.stall->nsamples; i++)
        if (it.stall->samples[i].stack)
            return it.stall->samples[i].stack;
    return NULL;
}

// The sum of the occurrences that are kept: all of them, or a lower bound.
static int64_t finding_total(const struct finding *f, bool *ret_is_bound)
{
    int64_t sum = 0;
    for (int i = 0; i < f->noccurrences; i++)
        if (f->occurrences[i].duration_ns != SNAP_UNKNOWN)
            sum += f->occurrences[i].duration_ns;
    *ret_is_bound = f->noccurrences < f->count;
    return f->noccurrences > 0 ? sum : f->duration_ns;
}

static int64_t finding_max(const struct finding *f)
{
    int64_t max = f->duration_ns;
    for (int i = 0; i < f->noccurrences; i++)
        if (f->occurrences[i].duration_ns > max)
            max = f->occurrences[i].duration_ns;
    return max;
}

static int64_t key(const struct ui *ui, int i, int column)
{
    struct item it = at(ui, i);
    bool bound;
    switch (column) {
    case COL_TOTAL:
        return it.finding ? finding_total(it.finding, &bound)
               : it.stall ? it.stall->duration_ns
                          : it.calls->total_ns;
    case COL_COUNT: return it.finding ? it.finding->count : it.stall ? 1 : it.calls->calls;
    case COL_MAX:
        return it.finding ? finding_max(it.finding)
               : it.stall ? it.stall->duration_ns
                          : it.calls->max_ns;
    case COL_WHEN: return it.finding ? it.finding->last_seen_ns : ui->snap->now_ns;
    default: break;
    }
    if (it.stall || (it.finding && it.finding->still_open))
        return INT64_MIN + 1;
    return -(it.finding ? finding_total(it.finding, &bound) : it.calls->total_ns);
}

static const struct cause *cause_of(struct item it)
{
    return it.finding ? &it.finding->cause : it.stall ? &it.stall->cause : &it.calls->cause;
}

static const char *text(const struct ui *ui, int i, int column, char *buf, size_t size)
{
    struct item it = at(ui, i);
    switch (column) {
    case COL_CULPRIT: return describe_culprit(stack_of(it), buf, size);
    case COL_PLACE: return describe_culprit_place(stack_of(it), buf, size);
    default: return describe_cause(cause_of(it), buf, size);
    }
}

static void when_text(const struct ui *ui, struct item it, char *buf, size_t size)
{
    if (it.stall || (it.finding && it.finding->still_open))
        snprintf(buf, size, "now");
    else if (it.finding)
        snprintf(buf, size, "%s", fmt_ago(ui->snap->now_ns - it.finding->last_seen_ns).s);
    else
        snprintf(buf, size, "last %s", fmt_ns(it.calls->window_ns).s);
}

static void cell(const struct ui *ui, int i, int column, struct cell_text *out)
{
    struct item it = at(ui, i);
    bool bound = false;
    bool now = it.stall || (it.finding && it.finding->still_open);
    out->style = now ? STYLE_CRITICAL : STYLE_TEXT;
    switch (column) {
    case COL_MARK:
        if (it.finding && it.finding->open) {
            out->style = style_of(it.finding->severity);
            snprintf(out->text, sizeof(out->text), "%s", mark_of(it.finding->severity));
        }
        break;
    case COL_TOTAL: {
        int64_t total = it.finding ? finding_total(it.finding, &bound) : key(ui, i, column);
        snprintf(out->text, sizeof(out->text), "%s%s", bound && total != SNAP_UNKNOWN ? ">" : "",
                 fmt_ns(total).s);
        break;
    }
    case COL_COUNT:
        snprintf(out->text, sizeof(out->text), "%s", fmt_count(key(ui, i, column)).s);
        break;
    case COL_MAX: snprintf(out->text, sizeof(out->text), "%s", fmt_ns(key(ui, i, column)).s); break;
    case COL_WHEN: when_text(ui, it, out->text, sizeof(out->text)); break;
    default: cell_set(out, text(ui, i, column, out->text, sizeof(out->text)));
    }
}

static void empty(const struct ui *ui, int width, struct lines *out)
{
    const struct snap_loop *l = shown_loop(ui, ui->nav.scope.pid, ui->nav.scope.tid);
    if (!l) {
        lines_add(out, STYLE_TEXT, "This loop is not in this picture.  Esc goes back.");
        return;
    }
    if (l->why_not) {
        lines_wrap(out, STYLE_WARNING, "", 0, width, l->why_not);
        return;
    }
    lines_add(out, STYLE_OK, "No turn of this loop passed %s in the %s it was watched.",
              fmt_ns(ui->snap->threshold_ns).s, fmt_ns(l->judged_ns).s);
    lines_add(out, STYLE_DIM, "--threshold or --strict (25 ms) makes loopscope look closer.");
}

const struct table table_stalls = {
    .name = "stalls",
    .columns = columns,
    .ncolumns = sizeof(columns) / sizeof(*columns),
    .count = count,
    .include = include,
    .id = id,
    .key = key,
    .text = text,
    .cell = cell,
    .empty = empty,
};

static void draw_state(const struct ui *ui, const struct snap_loop *l, struct pane p)
{
    char where[300];
    bool blocked = l->state == LOOP_BLOCKED || l->state == LOOP_STARVED;
    int x = pane_text(p, 0, 1, STYLE_DIM, "STATE ");
    x = pane_text(p, 0, x, blocked ? STYLE_CRITICAL : STYLE_STRONG, loop_state_name(l->state));
    if (blocked)
        x = pane_printf(p, 0, x, STYLE_CRITICAL, " for %s in %s", fmt_ns(l->blocked_ns).s,
                        describe_culprit(l->stack, where, sizeof(where)));
    x = pane_printf(p, 0, x + 3, STYLE_TEXT, "turns %s%s", fmt_count(l->turns).s,
                    l->turns_estimated ? " (estimated)" : "");
    if (l->iteration != SNAP_UNKNOWN && x + 30 < p.r.w)
        x = pane_printf(p, 0, x + 3, STYLE_TEXT, "iteration %s", fmt_count(l->iteration).s);
    if (x + 19 <= p.r.w)
        pane_printf(p, 0, x + 3, STYLE_TEXT, "threshold %s", fmt_ns(ui->snap->threshold_ns).s);
}

static void draw_lag(const struct snap_loop *l, struct pane p)
{
    const struct loop_window *w = &l->window;
    double per_s = w->window_ns > 0 && w->turns != SNAP_UNKNOWN
                       ? (double)w->turns * 1e9 / (double)w->window_ns
                       : NAN;
    int x = pane_text(p, 1, 1, STYLE_DIM, "LAG   ");
    x = pane_printf(p, 1, x, STYLE_TEXT, "p50 %s  p90 %s  p99 %s  max %s", fmt_ns(l->lag_p50_ns).s,
                    fmt_ns(l->lag_p90_ns).s, fmt_ns(l->lag_p99_ns).s, fmt_ns(l->lag_max_ns).s);
    pane_printf(p, 1, x + 3, STYLE_TEXT, "busy %s%%   turns %s", fmt_percent(l->busy_ratio).s,
                fmt_rate(per_s).s);
}

static int share(struct pane p, int x, const char *name, int64_t part, int64_t whole)
{
    if (part == SNAP_UNKNOWN || part <= 0 || whole <= 0)
        return x;
    return pane_printf(p, 2, x, STYLE_TEXT, "%s %.1f%%  ", name,
                       100.0 * (double)part / (double)whole);
}

static void draw_window(const struct snap_loop *l, struct pane p)
{
    const struct loop_window *w = &l->window;
    int x = pane_printf(p, 2, 1, STYLE_DIM, "LAST %s ", fmt_ns(w->window_ns).s);
    x = share(p, x, "cpu", w->cpu_user_ns, w->window_ns);
    x = share(p, x, "kernel", w->cpu_kernel_ns, w->window_ns);
    x = share(p, x, "run queue", w->runqueue_ns, w->window_ns);
    x = share(p, x, "poll wait", w->wait_ns, w->window_ns);
    if (!w->starved_by || w->runqueue_ns * 20 <= w->window_ns) // less is how computers are
        return;
    x = pane_text(p, 2, x, STYLE_WARNING, "starved by ");
    pane_field(p, 2, x, p.r.w - x, false, STYLE_WARNING, w->starved_by);
}

static void head(const struct ui *ui, struct pane p)
{
    const struct snap_loop *l = shown_loop(ui, ui->nav.scope.pid, ui->nav.scope.tid);
    if (!l) {
        pane_text(p, 0, 1, STYLE_DIM, "this loop is not in this picture");
        return;
    }
    draw_state(ui, l, p);
    draw_lag(l, p);
    draw_window(l, p);
    struct series worst;
    series_worst(ui, l->pid, l->tid, &worst);
    pane_printf(p, 3, 1, STYLE_STRONG, "Worst turn of each %s, last %s, newest right", worst.each,
                worst.span);
    chart_columns(pane_sub(p, 4, 0, p.r.h - 4, p.r.w), worst.ns, worst.n, ui->snap->threshold_ns);
}

static int samples_of(const struct ui *ui, struct item it, struct flame_sample *out, int max)
{
    if (it.finding)
        return describe_samples(ui->snap, it.finding, ui->cpu_mode, out, max);
    const struct stack *s = stack_of(it);
    if (!s)
        return 0;
    out[0] = (struct flame_sample){s, it.stall ? it.stall->duration_ns : it.calls->total_ns};
    return out[0].weight > 0;
}

static void stack_title(const struct ui *ui, int n, const char *cause, int width, struct lines *out)
{
    static const char *const modes[] = {"", ", on-CPU only", ", off-CPU only"};
    char text[200];
    snprintf(text, sizeof(text), "STACK  %d sample%s%s, %s", n, n == 1 ? "" : "s",
             modes[ui->cpu_mode],
             ui->stack_mode == STACK_TREE ? "% of the blocked time, root first" : "folded, us");
    if (text_width(text) + 3 + text_width(cause) <= width)
        lines_add(out, STYLE_STRONG, "%s   %s", text, cause);
    else
        lines_add(out, STYLE_STRONG, "%s", text);
}

static void stack_lines(const struct ui *ui, struct item it, int width, struct lines *out,
                        int *ret_culprit)
{
    struct flame_sample samples[128];
    char cause[300];
    int n = samples_of(ui, it, samples, 128);
    stack_title(ui, n, describe_cause(cause_of(it), cause, sizeof(cause)), width, out);
    *ret_culprit = -1;
    if (n == 0)
        lines_add(out, STYLE_DIM, "no stack of this kind was captured");
    else if (ui->stack_mode == STACK_FOLDED)
        flame_folded(samples, n, out);
    else
        flame_tree(samples, n, width, out, ret_culprit);
}

// Shows the part around the culprit; the roots of deep stacks say least.
static void detail(const struct ui *ui, struct pane p)
{
    struct lines lines = {0};
    int culprit, i = ui_selected(ui, TABLE_STALLS);
    if (i < 0)
        return;
    stack_lines(ui, at(ui, i), p.r.w - 2, &lines, &culprit);
    struct lines title = {1, 1, lines.v};
    lines_draw(&title, pane_sub(p, 0, 0, 1, p.r.w), 0);
    int room = p.r.h - 1, first = 1;
    if (culprit > room - 2 && lines.n - 1 > room)
        first = culprit - room + 3;
    if (lines.n > 0)
        lines_draw(&lines, pane_sub(p, 1, 0, room, p.r.w), first);
    lines_finish(&lines);
}

static void page(const struct ui *ui, int width, struct lines *out)
{
    int culprit, i = ui_selected(ui, TABLE_STALLS);
    if (i < 0)
        return;
    struct item it = at(ui, i);
    stack_lines(ui, it, width, out, &culprit);
    lines_add(out, STYLE_TEXT, "%s", "");
    if (it.finding)
        describe_finding(ui->snap, it.finding, width, true, out);
    else
        describe_frames(stack_of(it), true, out);
}

const struct view view_loop = {
    .name = "Loop",
    .head_rows = 8,
    .detail_rows = 14,
    .table = TABLE_STALLS,
    .head = head,
    .detail = detail,
    .page = page,
    .hint = "Enter: one stall  o: on/off-CPU  f: fold",
};
