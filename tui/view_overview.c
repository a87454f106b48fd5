// All loops at a glance: is something blocked now, which one, by what.
#include <stdio.h>

#include "chart.h"
#include "describe.h"
#include "format.h"
#include "series.h"
#include "text.h"
#include "view.h"

#define SELECTED_ROWS 3 // of the detail, about the row under the cursor; the rest are findings

// The table's items: the loops, then the processes.
static const struct snap_loop *loop_at(const struct ui *ui, int i)
{
    return i < ui->snap->nloops ? &ui->snap->loops[i] : NULL;
}

static const struct snap_process *process_at(const struct ui *ui, int i)
{
    if (i < ui->snap->nloops)
        return shown_process(ui, ui->snap->loops[i].pid);
    return &ui->snap->processes[i - ui->snap->nloops];
}

static bool does_not_poll(const struct snap_loop *l)
{
    return l->state == LOOP_BLOCKED || l->state == LOOP_STARVED;
}

static const struct snap_loop *worst_blocked(const struct ui *ui, int *ret_count)
{
    const struct snap_loop *worst = NULL;
    *ret_count = 0;
    for (int i = 0; i < ui->snap->nloops; i++) {
        const struct snap_loop *l = &ui->snap->loops[i];
        if (!does_not_poll(l))
            continue;
        ++*ret_count;
        if (!worst || l->blocked_ns > worst->blocked_ns)
            worst = l;
    }
    return worst;
}

static void draw_blocked(const struct ui *ui, struct pane p, int y)
{
    char name[128];
    int n;
    const struct snap_loop *l = worst_blocked(ui, &n);
    pane_text(p, y, 0, STYLE_STRONG, "Blocked now");
    if (l)
        pane_printf(p, y, 13, STYLE_CRITICAL, "%d loop%s, %s  %s", n, n > 1 ? "s" : "",
                    fmt_ns(l->blocked_ns).s, subject_name(ui, l->pid, l->tid, name, sizeof(name)));
    else
        pane_text(p, y, 13, STYLE_OK, "none");
}

static void draw_findings(const struct ui *ui, struct pane p, int y)
{
    int by[3] = {0};
    for (int i = 0; i < ui->snap->nfindings; i++)
        if (ui->snap->findings[i].open && (unsigned)ui->snap->findings[i].severity < 3)
            by[ui->snap->findings[i].severity]++;
    pane_text(p, y, 0, STYLE_STRONG, "Findings");
    if (by[0] + by[1] + by[2] == 0) {
        pane_text(p, y, 13, STYLE_OK, "none open");
        return;
    }
    int x = pane_printf(p, y, 13, by[SEV_CRITICAL] ? STYLE_CRITICAL : STYLE_TEXT, "%d critical",
                        by[SEV_CRITICAL]);
    x = pane_printf(p, y, x, by[SEV_WARNING] ? STYLE_WARNING : STYLE_TEXT, ", %d warning",
                    by[SEV_WARNING]);
    pane_printf(p, y, x, STYLE_TEXT, ", %d info", by[SEV_INFO]);
}

static void draw_fds(const struct ui *ui, struct pane p, int y)
{
    int64_t sum = SNAP_UNKNOWN;
    for (int i = 0; i < ui->snap->nprocesses; i++) {
        int64_t n = ui->snap->processes[i].fd_count;
        if (n != SNAP_UNKNOWN)
            sum = sum == SNAP_UNKNOWN ? n : sum + n;
    }
    pane_text(p, y, 0, STYLE_STRONG, "Open fds");
    pane_text(p, y, 13, STYLE_TEXT, fmt_count(sum).s);
}

static void draw_tasks(const struct ui *ui, struct pane p, int y)
{
    int64_t orphans = 0;
    for (int i = 0; i < ui->snap->nprocesses; i++)
        if (ui->snap->processes[i].norphans > 0)
            orphans += ui->snap->processes[i].norphans;
    pane_text(p, y, 0, STYLE_STRONG, "Tasks");
    int x = pane_text(p, y, 13, STYLE_TEXT, fmt_count(ui->snap->tasks_total).s);
    if (orphans > 0)
        pane_printf(p, y, x, STYLE_WARNING, ", %s orphaned", fmt_count(orphans).s);
}

static void draw_recording(const struct ui *ui, struct pane p, int y)
{
    pane_text(p, y, 0, STYLE_STRONG, "Recording");
    if (ui->recording)
        pane_printf(p, y, 13, STYLE_BANNER, "to %s", ui->record_path);
    else
        pane_text(p, y, 13, STYLE_DIM, ui->recorded ? "this is one" : "off (F8 starts)");
}

static void head(const struct ui *ui, struct pane p)
{
    struct series worst;
    int side = p.r.w >= 76 ? 44 : 0, chart = p.r.w - side > 70 ? 70 : p.r.w - side;
    series_worst(ui, 0, 0, &worst);
    pane_printf(p, 0, 1, STYLE_STRONG, "Worst turn of all loops, last %s", worst.span);
    chart_columns(pane_sub(p, 1, 0, p.r.h - 1, chart - 2), worst.ns, worst.n,
                  ui->snap->threshold_ns);
    struct pane right = pane_sub(p, 0, chart, p.r.h, side > 0 ? p.r.w - chart : 0);
    draw_blocked(ui, right, 0);
    draw_findings(ui, right, 1);
    draw_fds(ui, right, 2);
    draw_tasks(ui, right, 3);
    draw_recording(ui, right, 4);
}

static void detail_blocked(const struct ui *ui, const struct snap_loop *l, struct pane p)
{
    char name[128], where[400];
    subject_name(ui, l->pid, l->tid, name, sizeof(name));
    pane_printf(p, 0, 1, STYLE_CRITICAL, "%s has been inside one turn for %s%s:", name,
                fmt_ns(l->blocked_ns).s, l->state == LOOP_STARVED ? ", without a CPU" : "");
    if (l->stack)
        pane_text(p, 1, 3, STYLE_STRONG, describe_stack(l->stack, where, sizeof(where)));
    else
        pane_text(p, 1, 3, STYLE_DIM, "no stack could be taken yet");
    if (l->task.id)
        pane_printf(p, 2, 3, STYLE_TEXT, "in task %s #%s, spawned at %s",
                    l->task.name ? l->task.name : "(no name)", l->task.id,
                    l->task.spawn_site ? l->task.spawn_site : "-");
}

static void draw_worst_finding(const struct ui *ui, const struct snap_loop *l, struct pane p, int y)
{
    for (int i = 0; i < ui->snap->nfindings; i++) { // most severe first
        const struct finding *f = &ui->snap->findings[i];
        if (!f->open || f->pid != l->pid || (f->tid != 0 && f->tid != l->tid))
            continue;
        char when[40];
        const char *title = f->title ? f->title : "-";
        snprintf(when, sizeof(when), "  (%s)", fmt_ago(ui->snap->now_ns - f->last_seen_ns).s);
        int x = pane_printf(p, y, 1, style_of(f->severity), "%s ", mark_of(f->severity));
        int room = p.r.w - x - text_width(when), width = text_width(title);
        x = pane_field(p, y, x, width < room ? width : room, false, style_of(f->severity), title);
        pane_text(p, y, x, STYLE_DIM, when);
        return;
    }
}

static void detail_loop(const struct ui *ui, const struct snap_loop *l, struct pane p)
{
    char name[128];
    const struct snap_process *proc = shown_process(ui, l->pid);
    subject_name(ui, l->pid, l->tid, name, sizeof(name));
    pane_printf(p, 0, 1, STYLE_SCOPE, "%s  pid %d  tid %d  %s %s", name, l->pid, l->tid,
                runtime_name(proc ? proc->runtime : RUNTIME_UNKNOWN),
                proc && proc->runtime_version ? proc->runtime_version : "");
    if (l->why_not)
        pane_printf(p, 1, 1, STYLE_WARNING, "not watched: %s", l->why_not);
    else
        pane_printf(p, 1, 1, STYLE_TEXT, "%s turn%s%s since attach, lag p90 %s, watched for %s",
                    fmt_count(l->turns).s, l->turns == 1 ? "" : "s",
                    l->turns_estimated ? " (estimated)" : "", fmt_ns(l->lag_p90_ns).s,
                    fmt_ns(l->judged_ns).s);
    draw_worst_finding(ui, l, p, 2);
}

static void detail_process(const struct snap_process *proc, struct pane p)
{
    struct lines lines = {0};
    lines_add(&lines, STYLE_SCOPE, "%s  pid %d  %s", proc->name ? proc->name : "?", proc->pid,
              runtime_name(proc->runtime));
    lines_wrap(&lines, STYLE_WARNING, "", 0, p.r.w - 2,
               proc->exited    ? "the process has ended; its last data stays"
               : proc->why_not ? proc->why_not
                               : "no event loop was seen in it yet");
    lines_draw(&lines, p, 0);
    lines_finish(&lines);
}

// What is blocked now comes before what the cursor is on.
static void detail_selected(const struct ui *ui, struct pane p)
{
    int n, i = ui_selected(ui, TABLE_LOOPS);
    const struct snap_loop *selected = i >= 0 ? loop_at(ui, i) : NULL;
    const struct snap_loop *blocked = worst_blocked(ui, &n);
    if (selected && does_not_poll(selected))
        blocked = selected;
    if (blocked && (!selected || selected->state != LOOP_NO_PROBES))
        detail_blocked(ui, blocked, p);
    else if (selected)
        detail_loop(ui, selected, p);
    else if (i >= 0)
        detail_process(process_at(ui, i), p);
}

static void draw_finding(const struct ui *ui, const struct finding *f, struct pane p, int y)
{
    char name[128], text[256];
    int right = p.r.w - 30,
        x = pane_printf(p, y, 0, style_of(f->severity), "%-2s ", mark_of(f->severity));
    pane_field(p, y, x, right - x - 1, false, style_of(f->severity),
               describe_headline(f, text, sizeof(text)));
    pane_field(p, y, right, 18, false, STYLE_SCOPE,
               subject_name(ui, f->pid, f->tid, name, sizeof(name)));
    pane_field(p, y, right + 19, 10, true, STYLE_DIM,
               f->still_open ? "now" : fmt_ago(ui->snap->now_ns - f->last_seen_ns).s);
}

// Below what is selected: what else is wrong, most severe first, as far as there is room.
static void draw_open_findings(const struct ui *ui, struct pane p)
{
    int y = 0, left = 0;
    pane_field(p, y++, 0, p.r.w, false, STYLE_HEADER, "   OPEN FINDINGS");
    for (int i = 0; i < ui->snap->nfindings; i++) {
        const struct finding *f = &ui->snap->findings[i];
        if (!f->open)
            continue;
        if (y < p.r.h)
            draw_finding(ui, f, p, y++);
        else
            left++;
    }
    if (left > 0) { // in the place of the last one
        pane_field(p, p.r.h - 1, 0, p.r.w, false, STYLE_DIM, "");
        pane_printf(p, p.r.h - 1, 3, STYLE_DIM, "... %d more (5: findings)", left + 1);
    }
    if (y == 1)
        pane_text(p, y, 3, STYLE_OK, "none");
}

static void detail(const struct ui *ui, struct pane p)
{
    detail_selected(ui, pane_sub(p, 0, 0, SELECTED_ROWS, p.r.w));
    if (p.r.h >= SELECTED_ROWS + 3)
        draw_open_findings(ui, pane_sub(p, SELECTED_ROWS + 1, 0, p.r.h - SELECTED_ROWS - 1, p.r.w));
}

static void page(const struct ui *ui, int width, struct lines *out)
{
    int i = ui_selected(ui, TABLE_LOOPS);
    const struct snap_process *p = i >= 0 ? process_at(ui, i) : NULL;
    if (!p)
        return;
    lines_add(out, STYLE_SCOPE, "%s  pid %d", p->name ? p->name : "?", p->pid);
    lines_wrap(out, STYLE_TEXT, "RUNS", 11, width, p->cmdline ? p->cmdline : p->exe ? p->exe : "-");
    lines_wrap(out, STYLE_TEXT, "RUNTIME", 11, width, runtime_name(p->runtime));
    lines_wrap(out, STYLE_WARNING, "WATCHED", 11, width,
               p->why_not      ? p->why_not
               : p->nloops > 0 ? "yes"
                               : "no event loop was seen in it yet");
}

static void enter(struct ui *ui)
{
    int i = ui_selected(ui, TABLE_LOOPS);
    const struct snap_loop *l = loop_at(ui, i);
    struct nav next = ui->nav;
    if (l) {
        next.view = VIEW_LOOP;
        next.scope = (struct scope){l->pid, l->tid};
    } else {
        next.page = true;
    }
    if (!ui->nav.page)
        ui_enter(ui, next);
}

const struct view view_overview = {
    .name = "Overview",
    .head_rows = 5,
    .detail_rows = SELECTED_ROWS + 10,
    .table = TABLE_LOOPS,
    .head = head,
    .detail = detail,
    .page = page,
    .enter = enter,
    .hint = "Enter: loop  5: findings",
};
