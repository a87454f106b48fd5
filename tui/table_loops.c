// The table of all loops, and of processes that have none: the overview's rows.
#include <math.h>
#include <stdio.h>

#include "format.h"
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
