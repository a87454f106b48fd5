// No TARGET was given: the processes with event loops, to choose one.
#include <stdio.h>

#include "format.h"
#include "view.h"

enum { COL_MARK, COL_NAME, COL_PID, COL_RUNTIME, COL_LOOPS, COL_TASKS, COL_FDS, COL_COMMAND };

static const struct column columns[] = {
    [COL_MARK] = {.title = "", .width = 2},
    [COL_NAME] = {.title = "PROCESS", .width = 16, .text = true},
    [COL_PID] = {.title = "PID", .width = 7, .right = true},
    [COL_RUNTIME] = {.title = "RUNTIME", .width = 10, .text = true},
    [COL_LOOPS] = {.title = "LOOPS", .width = 5, .right = true, .priority = 2, .big_first = true},
    [COL_TASKS] = {.title = "TASKS", .width = 6, .right = true, .priority = 3, .big_first = true},
    [COL_FDS] = {.title = "FDS", .width = 6, .right = true, .priority = 4, .big_first = true},
    [COL_COMMAND] = {.title = "COMMAND", .width = 12, .text = true, .flex = true, .priority = 5},
};

static const struct snap_process *at(const struct ui *ui, int i)
{
    return &ui->snap->processes[i];
}

static int count(const struct ui *ui)
{
    return ui->snap->nprocesses;
}

static bool include(const struct ui *ui, int i)
{
    return !at(ui, i)->exited;
}

static uint64_t id(const struct ui *ui, int i)
{
    return (uint64_t)at(ui, i)->pid | 1ULL << 40;
}

static int64_t key(const struct ui *ui, int i, int column)
{
    const struct snap_process *p = at(ui, i);
    switch (column) {
    case COL_PID: return p->pid;
    case COL_LOOPS: return p->nloops;
    case COL_TASKS: return p->ntasks;
    case COL_FDS: return p->fd_count;
    default: return (p->nloops > 0 ? 0 : 1LL << 32) + p->pid;
    }
}

static const char *text(const struct ui *ui, int i, int column, char *buf, size_t size)
{
    const struct snap_process *p = at(ui, i);
    const char *value = column == COL_NAME      ? p->name
                        : column == COL_RUNTIME ? runtime_name(p->runtime)
                        : p->cmdline            ? p->cmdline
                                                : p->exe;
    (void)buf;
    (void)size;
    return value ? value : "-";
}

static void cell(const struct ui *ui, int i, int column, struct cell_text *out)
{
    const struct snap_process *p = at(ui, i);
    struct fmt f = {0};
    switch (column) {
    case COL_MARK: f.s[0] = p->why_not ? '?' : '\0'; break;
    case COL_PID: snprintf(f.s, sizeof(f.s), "%d", p->pid); break;
    case COL_LOOPS: f = fmt_count(p->nloops); break;
    case COL_TASKS: f = fmt_count(p->ntasks); break;
    case COL_FDS: f = fmt_count(p->fd_count); break;
    default: cell_set(out, text(ui, i, column, out->text, sizeof(out->text))); return;
    }
    snprintf(out->text, sizeof(out->text), "%s", f.s);
}

const struct table table_processes = {
    .name = "processes",
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

static void head(const struct ui *ui, struct pane p)
{
    (void)ui;
    pane_text(p, 0, 1, STYLE_STRONG, "Which process shall be watched?");
    pane_text(p, 1, 1, STYLE_DIM,
              "Those with an event loop that we may see.  Enter watches one, 1 all.");
}

static void page(const struct ui *ui, int width, struct lines *out)
{
    int i = ui_selected(ui, TABLE_PROCESSES);
    if (i < 0)
        return;
    const struct snap_process *p = at(ui, i);
    lines_wrap(out, STYLE_TEXT, "COMMAND", 11, width, p->cmdline ? p->cmdline : "-");
    lines_wrap(out, STYLE_TEXT, "EXECUTABLE", 11, width, p->exe ? p->exe : "-");
    if (p->why_not)
        lines_wrap(out, STYLE_WARNING, "WATCHED", 11, width, p->why_not);
}

static void enter(struct ui *ui)
{
    int i = ui_selected(ui, TABLE_PROCESSES);
    if (i < 0)
        return;
    ui->open_pid = at(ui, i)->pid;
    ui->requests |= REQUEST_OPEN;
}

const struct view view_choose = {
    .name = "Choose",
    .head_rows = 2,
    .detail_rows = 3,
    .table = TABLE_PROCESSES,
    .head = head,
    .page = page,
    .enter = enter,
    .hint = "Enter: watch it  1: all",
};
