// All loops: is something blocked now, which one, by what.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "chart.h"
#include "describe.h"
#include "format.h"
#include "text.h"
#include "view.h"

enum {
    COL_MARK,
    COL_NAME,
    COL_PID,
    COL_STATE,
    COL_BUSY,
    COL_P50,
    COL_P99,
    COL_MAX,
    COL_SPARK,
    COL_TASKS,
    COL_FDS,
    COL_FINDINGS,
};

static const struct column columns[] = {
    [COL_MARK] = {.title = "", .width = 2},
    [COL_NAME] = {.title = "PROCESS/LOOP", .width = 15, .flex = true, .text = true},
    [COL_PID] = {.title = "PID", .width = 7, .right = true, .priority = 3},
    [COL_STATE] = {.title = "STATE", .width = 13, .text = true},
    [COL_BUSY] = {.title = "BUSY%", .width = 5, .right = true, .priority = 2, .big_first = true},
    [COL_P50] = {.title = "LAG p50", .width = 7, .right = true, .priority = 8, .big_first = true},
    [COL_P99] = {.title = "p99", .width = 6, .right = true, .priority = 1, .big_first = true},
    [COL_MAX] = {.title = "max", .width = 6, .right = true, .priority = 4, .big_first = true},
    [COL_SPARK] = {.title = "LAST 60 s", .width = 12, .flex = true, .priority = 9},
    [COL_TASKS] = {.title = "TASKS", .width = 5, .right = true, .priority = 5, .big_first = true},
    [COL_FDS] = {.title = "FDS", .width = 5, .right = true, .priority = 6, .big_first = true},
    [COL_FINDINGS] = {.title = "FND", .width = 3, .right = true, .priority = 7, .big_first = true},
};

// Items: the loops, then the processes; shown of these are the ones without a loop.
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

static int count(const struct ui *ui)
{
    return ui->snap->nloops + ui->snap->nprocesses;
}

static bool has_loop(const struct ui *ui, int pid)
{
    for (int i = 0; i < ui->snap->nloops; i++)
        if (ui->snap->loops[i].pid == pid)
            return true;
    return false;
}

static bool include(const struct ui *ui, int i)
{
    if (i < ui->snap->nloops)
        return true;
    const struct snap_process *p = &ui->snap->processes[i - ui->snap->nloops];
    return p->nloops == 0 && !has_loop(ui, p->pid);
}

static uint64_t id(const struct ui *ui, int i)
{
    const struct snap_loop *l = loop_at(ui, i);
    if (l)
        return (uint64_t)l->pid << 32 | (uint32_t)l->tid;
    return (uint64_t)process_at(ui, i)->pid << 32;
}

static bool is_first_loop(const struct snap_process *p, const struct snap_loop *l)
{
    return p && p->nloops > 0 && p->loops[0] == l->tid;
}

static int64_t ratio_key(double r)
{
    return isnan(r) ? SNAP_UNKNOWN : (int64_t)(r * 1e6);
}

// Most severe first: what is wrong now, then what was found, then the busiest.
static int64_t urgency(const struct ui *ui, const struct snap_loop *l)
{
    static const int by_state[] = {
        [LOOP_WAITING] = 5, [LOOP_RUNNING] = 5, [LOOP_BLOCKED] = 0, [LOOP_SPINNING] = 2,
        [LOOP_STARVED] = 1, [LOOP_STOPPED] = 3, [LOOP_EXITED] = 8,  [LOOP_NO_PROBES] = 7,
    };
    int n, worst = worst_finding(ui, l->pid, l->tid, &n);
    int64_t state = (unsigned)l->state < 8 ? by_state[l->state] : 9;
    int64_t busy = isnan(l->busy_ratio) ? 0 : (int64_t)(l->busy_ratio * 1000);
    return (state * 8 + (3 - worst)) * 1000000 - busy;
}

static int64_t key(const struct ui *ui, int i, int column)
{
    const struct snap_loop *l = loop_at(ui, i);
    const struct snap_process *p = process_at(ui, i);
    int n;
    if (column == COL_PID)
        return l ? l->pid : p->pid;
    if (!l)
        return column == COL_FDS ? p->fd_count : column == -1 ? INT64_MAX / 2 : SNAP_UNKNOWN;
    switch (column) {
    case COL_BUSY: return ratio_key(l->busy_ratio);
    case COL_P50: return l->lag_p50_ns;
    case COL_P99: return l->lag_p99_ns;
    case COL_MAX: return l->lag_max_ns;
    case COL_TASKS: return p ? p->ntasks : SNAP_UNKNOWN;
    case COL_FDS: return p ? p->fd_count : SNAP_UNKNOWN;
    case COL_FINDINGS: worst_finding(ui, l->pid, l->tid, &n); return n;
    case COL_SPARK: return l->spark_ns[LOOP_SPARK - 1];
    default: return urgency(ui, l);
    }
}

static const char *loop_state_text(const struct snap_loop *l, char *buf, size_t size)
{
    static const char *const names[] = {"WAITING", "RUNNING", "BLOCKED", "SPINNING",
                                        "STARVED", "STOPPED", "EXITED",  "NO PROBES"};
    const char *name = (unsigned)l->state < 8 ? names[l->state] : "UNKNOWN";
    bool aged = l->state == LOOP_BLOCKED || l->state == LOOP_STARVED;
    if (aged && l->blocked_ns > 0)
        snprintf(buf, size, "%s %s", name, fmt_ns(l->blocked_ns).s);
    else
        snprintf(buf, size, "%s", name);
    return buf;
}

static const char *process_state_text(const struct snap_process *p)
{
    if (p->exited)
        return "EXITED";
    return p->why_not ? "NO PROBES" : "NO LOOP YET";
}

static const char *text(const struct ui *ui, int i, int column, char *buf, size_t size)
{
    const struct snap_loop *l = loop_at(ui, i);
    if (column == COL_STATE)
        return l ? loop_state_text(l, buf, size) : process_state_text(process_at(ui, i));
    if (l)
        return subject_name(ui, l->pid, l->tid, buf, size);
    snprintf(buf, size, "%s", process_at(ui, i)->name ? process_at(ui, i)->name : "?");
    return buf;
}

static enum style state_style(const struct snap_loop *l)
{
    switch (l->state) {
    case LOOP_BLOCKED: return STYLE_CRITICAL;
    case LOOP_SPINNING:
    case LOOP_STARVED:
    case LOOP_STOPPED: return STYLE_WARNING;
    case LOOP_EXITED:
    case LOOP_NO_PROBES: return STYLE_DIM;
    default: return STYLE_TEXT;
    }
}

static enum style lag_style(const struct ui *ui, int64_t ns)
{
    if (ns == SNAP_UNKNOWN || ns < ui->snap->threshold_ns)
        return STYLE_TEXT;
    return ns >= ui->snap->threshold_ns * 10 ? STYLE_CRITICAL : STYLE_WARNING;
}

static void set(struct cell_text *out, enum style style, const char *value)
{
    out->style = style;
    snprintf(out->text, sizeof(out->text), "%s", value);
}

static void mark_cell(const struct ui *ui, int i, struct cell_text *out)
{
    const struct snap_loop *l = loop_at(ui, i);
    int n, worst = l ? worst_finding(ui, l->pid, l->tid, &n) : -1;
    if (!l || l->state == LOOP_NO_PROBES)
        set(out, STYLE_DIM, process_at(ui, i) && process_at(ui, i)->exited ? "" : "?");
    else if (worst >= 0)
        set(out, style_of((enum severity)worst), mark_of((enum severity)worst));
    else if (l->state == LOOP_BLOCKED)
        set(out, STYLE_WARNING, "!");
}

static void process_cell(const struct ui *ui, int i, int column, struct cell_text *out)
{
    const struct snap_process *p = process_at(ui, i);
    if (column == COL_FDS)
        set(out, STYLE_TEXT, fmt_count(p->fd_count).s);
    else if (column == COL_FINDINGS || column == COL_SPARK)
        set(out, STYLE_TEXT, "");
    else
        set(out, STYLE_DIM, "-");
}

static void lag_cell(const struct ui *ui, int64_t ns, struct cell_text *out)
{
    set(out, lag_style(ui, ns), fmt_ns(ns).s);
}

static void loop_cell(const struct ui *ui, const struct snap_loop *l, int column,
                      struct cell_text *out)
{
    const struct snap_process *p = shown_process(ui, l->pid);
    bool first = is_first_loop(p, l);
    int n;
    switch (column) {
    case COL_BUSY: set(out, STYLE_TEXT, fmt_percent(l->busy_ratio).s); break;
    case COL_P50: lag_cell(ui, l->lag_p50_ns, out); break;
    case COL_P99: lag_cell(ui, l->lag_p99_ns, out); break;
    case COL_MAX: lag_cell(ui, l->lag_max_ns, out); break;
    case COL_SPARK:
        out->spark = l->spark_ns;
        out->nspark = LOOP_SPARK;
        break;
    case COL_TASKS: // of the process, shown once
        set(out, STYLE_TEXT, first ? fmt_count(p->ntasks).s : "");
        break;
    case COL_FDS: set(out, STYLE_TEXT, first ? fmt_count(p->fd_count).s : ""); break;
    case COL_FINDINGS:
        worst_finding(ui, l->pid, l->tid, &n);
        set(out, STYLE_TEXT, n > 0 ? fmt_count(n).s : "");
        break;
    default: break;
    }
}

static void cell(const struct ui *ui, int i, int column, struct cell_text *out)
{
    const struct snap_loop *l = loop_at(ui, i);
    char buf[256];
    switch (column) {
    case COL_MARK: mark_cell(ui, i, out); break;
    case COL_PID:
        snprintf(out->text, sizeof(out->text), "%d", l ? l->pid : process_at(ui, i)->pid);
        break;
    case COL_NAME: set(out, STYLE_TEXT, text(ui, i, column, buf, sizeof(buf))); break;
    case COL_STATE:
        set(out, l ? state_style(l) : STYLE_DIM, text(ui, i, column, buf, sizeof(buf)));
        break;
    default:
        if (l)
            loop_cell(ui, l, column, out);
        else
            process_cell(ui, i, column, out);
    }
}

const struct table table_loops = {
    .name = "loops",
    .columns = columns,
    .ncolumns = sizeof(columns) / sizeof(*columns),
    .count = count,
    .include = include,
    .id = id,
    .key = key,
    .text = text,
    .cell = cell,
    .empty = message_nothing,
};

static enum table_id table_of(const struct ui *ui)
{
    (void)ui;
    return TABLE_LOOPS;
}

// The worst turn of all loops, second by second.
static void worst_of_all(const struct ui *ui, int64_t *out)
{
    for (int s = 0; s < LOOP_SPARK; s++) {
        out[s] = SNAP_UNKNOWN;
        for (int i = 0; i < ui->snap->nloops; i++)
            if (ui->snap->loops[i].spark_ns[s] > out[s]) // unknown is the smallest number
                out[s] = ui->snap->loops[i].spark_ns[s];
    }
}

static const struct snap_loop *worst_blocked(const struct ui *ui, int *ret_count)
{
    const struct snap_loop *worst = NULL;
    *ret_count = 0;
    for (int i = 0; i < ui->snap->nloops; i++) {
        const struct snap_loop *l = &ui->snap->loops[i];
        if (l->state != LOOP_BLOCKED)
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
    int64_t worst[LOOP_SPARK];
    int side = p.r.w >= 76 ? 42 : 0, chart = p.r.w - side > 70 ? 70 : p.r.w - side;
    worst_of_all(ui, worst);
    pane_text(p, 0, 1, STYLE_STRONG, "Worst turn of all loops, last 60 s");
    chart_columns(pane_sub(p, 1, 0, p.r.h - 1, chart - 2), worst, LOOP_SPARK,
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
    pane_printf(p, 0, 1, STYLE_CRITICAL, "%s has been inside one turn for %s:", name,
                fmt_ns(l->blocked_ns).s);
    if (l->stack)
        pane_text(p, 1, 3, STYLE_STRONG, describe_stack(l->stack, where, sizeof(where)));
    else
        pane_text(p, 1, 3, STYLE_DIM, "no stack could be taken yet");
    if (l->task.id)
        pane_printf(p, 2, 3, STYLE_TEXT, "in task %s #%s, spawned at %s",
                    l->task.name ? l->task.name : "(no name)", l->task.id,
                    l->task.spawn_site ? l->task.spawn_site : "-");
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
        pane_printf(p, 1, 1, STYLE_TEXT, "%s turns%s since attach, lag p90 %s, watched for %s",
                    fmt_count(l->turns).s, l->turns_estimated ? " (estimated)" : "",
                    fmt_ns(l->lag_p90_ns).s, fmt_ns(l->judged_ns).s);
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
static void detail(const struct ui *ui, struct pane p)
{
    int n, i = ui_selected(ui, TABLE_LOOPS);
    const struct snap_loop *selected = i >= 0 ? loop_at(ui, i) : NULL;
    const struct snap_loop *blocked = worst_blocked(ui, &n);
    if (selected && selected->state == LOOP_BLOCKED)
        blocked = selected;
    if (blocked && (!selected || selected->state != LOOP_NO_PROBES))
        detail_blocked(ui, blocked, p);
    else if (selected)
        detail_loop(ui, selected, p);
    else if (i >= 0)
        detail_process(process_at(ui, i), p);
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
    .detail_rows = 3,
    .table = table_of,
    .head = head,
    .detail = detail,
    .page = page,
    .enter = enter,
    .hint = "Enter: loop  5: findings",
};
