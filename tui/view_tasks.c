// Tasks by spawn site: so that a thousand orphans are one line. t shows the tasks as a tree or flat.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "format.h"
#include "text.h"
#include "view.h"
#include "view_tasks.h"

enum {
    COL_MARK,
    COL_SITE,
    COL_NAME,
    COL_LIVE,
    COL_ORPHANED,
    COL_GROWTH,
    COL_SPAWNED,
    COL_DONE,
    COL_FAILED,
    COL_OLDEST,
    COL_P99
};

static const struct column columns[] = {
    [COL_MARK] = {.title = "", .width = 2},
    [COL_SITE] = {.title = "SPAWNED AT", .width = 18, .text = true, .flex = true, .tail = true},
    [COL_NAME] = {.title = "TASK", .width = 14, .text = true, .flex = true, .priority = 5},
    [COL_LIVE] = {.title = "LIVE", .width = 6, .right = true, .big_first = true},
    [COL_ORPHANED] = {.title = "ORPH", .width = 5, .right = true, .priority = 1, .big_first = true},
    [COL_GROWTH] = {.title = "GROWTH", .width = 8, .right = true, .priority = 2, .big_first = true},
    [COL_SPAWNED] =
        {.title = "SPAWNED", .width = 7, .right = true, .priority = 7, .big_first = true},
    [COL_DONE] = {.title = "DONE", .width = 6, .right = true, .priority = 8, .big_first = true},
    [COL_FAILED] = {.title = "FAIL", .width = 5, .right = true, .priority = 3, .big_first = true},
    [COL_OLDEST] = {.title = "OLDEST", .width = 6, .right = true, .priority = 4, .big_first = true},
    [COL_P99] = {.title = "p99", .width = 6, .right = true, .priority = 6, .big_first = true},
};

static const struct snap_task_site *at(const struct ui *ui, int i)
{
    return &ui->snap->task_sites[i];
}

static int count(const struct ui *ui)
{
    return ui->snap->ntask_sites;
}

static bool include(const struct ui *ui, int i)
{
    return ui_in_scope(ui, at(ui, i)->pid, 0) && (!ui->orphans_only || at(ui, i)->orphaned > 0);
}

uint64_t task_site_id(int pid, const char *site)
{
    return hash_text(HASH_START ^ (uint64_t)pid, site);
}

static uint64_t id(const struct ui *ui, int i)
{
    return task_site_id(at(ui, i)->pid, at(ui, i)->site);
}

static int64_t key(const struct ui *ui, int i, int column)
{
    const struct snap_task_site *s = at(ui, i);
    switch (column) {
    case COL_LIVE: return s->live;
    case COL_ORPHANED: return s->orphaned;
    case COL_GROWTH:
        return isnan(s->growth_per_s) ? SNAP_UNKNOWN : (int64_t)(s->growth_per_s * 1e6);
    case COL_SPAWNED: return s->spawned;
    case COL_DONE: return s->completed;
    case COL_FAILED: return s->failed;
    case COL_OLDEST: return s->oldest_ns;
    case COL_P99: return s->p99_ns;
    default: // orphans first, then the crowds
        return -(s->orphaned > 0 ? (1LL << 40) + s->orphaned : s->live > 0 ? s->live : 0);
    }
}

static const char *text(const struct ui *ui, int i, int column, char *buf, size_t size)
{
    const char *value = column == COL_SITE ? at(ui, i)->site : at(ui, i)->name;
    (void)buf;
    (void)size;
    return value ? value : "-";
}

static void cell(const struct ui *ui, int i, int column, struct cell_text *out)
{
    const struct snap_task_site *s = at(ui, i);
    struct fmt f = {0};
    switch (column) {
    case COL_MARK:
        out->style = STYLE_WARNING;
        snprintf(out->text, sizeof(out->text), "%s", s->orphaned > 0 ? "!" : "");
        return;
    case COL_LIVE: f = fmt_count(s->live); break;
    case COL_ORPHANED:
        out->style = s->orphaned > 0 ? STYLE_WARNING : STYLE_TEXT;
        f = fmt_count(s->orphaned);
        break;
    case COL_GROWTH: f = fmt_growth(s->growth_per_s); break;
    case COL_SPAWNED: f = fmt_count(s->spawned); break;
    case COL_DONE: f = fmt_count(s->completed); break;
    case COL_FAILED:
        out->style = s->failed > 0 ? STYLE_WARNING : STYLE_TEXT;
        f = fmt_count(s->failed);
        break;
    case COL_OLDEST: f = fmt_ns(s->oldest_ns); break;
    case COL_P99: f = fmt_ns(s->p99_ns); break;
    default: cell_set(out, text(ui, i, column, out->text, sizeof(out->text))); return;
    }
    snprintf(out->text, sizeof(out->text), "%s", f.s);
}

const struct table table_sites = {
    .name = "task-sites",
    .columns = columns,
    .ncolumns = sizeof(columns) / sizeof(*columns),
    .count = count,
    .include = include,
    .id = id,
    .key = key,
    .text = text,
    .cell = cell,
    .empty = message_tasks,
};

static enum table_id table_now(const struct ui *ui)
{
    return ui->nav.task_mode == TASKS_BY_SITE ? TABLE_SITES
           : ui->nav.task_mode == TASKS_TREE  ? TABLE_TREE
                                              : TABLE_TASKS;
}

static void head(const struct ui *ui, struct pane p)
{
    static const char *const modes[] = {"by spawn site", "as a tree", "flat"};
    int x = pane_printf(p, 0, 1, STYLE_TEXT, "total %s", fmt_count(ui->snap->tasks_total).s);
    for (int s = TASK_NEW; s <= TASK_CANCELLED; s++) {
        if (ui->snap->tasks_by_state[s] == SNAP_UNKNOWN || ui->snap->tasks_by_state[s] == 0)
            continue;
        x = pane_printf(p, 0, x + 3, STYLE_DIM, "%s ", task_state_name((enum task_state)s));
        x = pane_text(p, 0, x, STYLE_STRONG, fmt_count(ui->snap->tasks_by_state[s]).s);
    }
    x = pane_printf(p, 1, 1, STYLE_DIM, "shown %s%s", modes[ui->nav.task_mode],
                    ui->orphans_only ? ", orphans only" : "");
    int site = ui_selected(ui, TABLE_SITES);
    if (ui->nav.site && site >= 0)
        pane_printf(p, 1, x, STYLE_SCOPE, ", spawned at %s",
                    at(ui, site)->site ? at(ui, site)->site : "-");
}

static void site_lines(const struct ui *ui, int i, int width, struct lines *out)
{
    const struct snap_task_site *s = at(ui, i);
    char name[128];
    lines_add(out, STYLE_SCOPE, "%s  spawned at %s  in %s (%d)", s->name ? s->name : "(no name)",
              s->site ? s->site : "-", subject_name(ui, s->pid, 0, name, sizeof(name)), s->pid);
    lines_add(out, STYLE_TEXT,
              "%s spawned: %s completed, %s failed, %s cancelled; %s live, %s orphaned",
              fmt_count(s->spawned).s, fmt_count(s->completed).s, fmt_count(s->failed).s,
              fmt_count(s->cancelled).s, fmt_count(s->live).s,
              s->orphaned == 0         ? "none"
              : s->orphaned == s->live ? "all"
                                       : fmt_count(s->orphaned).s);
    lines_add(out, STYLE_TEXT, "oldest %s, mean %s, p99 %s", fmt_ns(s->oldest_ns).s,
              fmt_ns(s->mean_ns).s, fmt_ns(s->p99_ns).s);
    for (int f = 0; f < ui->snap->nfindings; f++) {
        const struct finding *finding = &ui->snap->findings[f];
        if (finding->open && finding->pid == s->pid && finding->task.spawn_site && s->site &&
            strcmp(finding->task.spawn_site, s->site) == 0)
            lines_wrap(out, style_of(finding->severity), mark_of(finding->severity), 3, width,
                       finding->title ? finding->title : "-");
    }
}

static void page(const struct ui *ui, int width, struct lines *out)
{
    enum table_id t = table_now(ui);
    int i = ui_selected(ui, t);
    if (i < 0)
        return;
    if (t == TABLE_SITES)
        site_lines(ui, i, width, out);
    else
        task_lines(ui, i, width, out);
}

static void enter(struct ui *ui)
{
    struct nav next = ui->nav;
    if (ui->nav.page)
        return;
    if (ui->nav.task_mode == TASKS_BY_SITE) {
        next.task_mode = TASKS_TREE;
        next.site = ui->tables[TABLE_SITES].cursor;
    } else {
        next.page = true;
    }
    ui_enter(ui, next);
}

static const char *hint_now(const struct ui *ui)
{
    return ui->nav.task_mode == TASKS_BY_SITE ? "Enter: its tasks  o orphans only  t tree/flat"
                                              : "Enter: the task  o orphans only  t tree/flat/site";
}

const struct view view_tasks = {
    .name = "Tasks",
    .head_rows = 2,
    .detail_rows = 7,
    .table_now = table_now,
    .head = head,
    .page = page,
    .enter = enter,
    .hint_now = hint_now,
};
