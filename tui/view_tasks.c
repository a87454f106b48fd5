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

static const struct snap_task_site *at(const struct model *m, int i)
{
    return &m->snap->task_sites[i];
}

static int count(const struct model *m)
{
    return m->snap->ntask_sites;
}

static bool include(const struct model *m, int i)
{
    return model_in_scope(m, at(m, i)->pid, 0) && (!m->orphans_only || at(m, i)->orphaned > 0);
}

uint64_t task_site_id(int pid, const char *site)
{
    return hash_text(HASH_START ^ (uint64_t)pid, site);
}

static uint64_t id(const struct model *m, int i)
{
    return task_site_id(at(m, i)->pid, at(m, i)->site);
}

static int64_t key(const struct model *m, int i, int column)
{
    const struct snap_task_site *s = at(m, i);
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

static const char *text(const struct model *m, int i, int column, char *buf, size_t size)
{
    const char *value = column == COL_SITE ? at(m, i)->site : at(m, i)->name;
    snprintf(buf, size, "%s", value ? value : "-");
    return buf;
}

static void cell(const struct model *m, int i, int column, struct cell_text *out)
{
    const struct snap_task_site *s = at(m, i);
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
    default: text(m, i, column, out->text, sizeof(out->text)); return;
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

static enum table_id table_of(const struct model *m)
{
    return m->nav.task_mode == TASKS_BY_SITE ? TABLE_SITES
           : m->nav.task_mode == TASKS_TREE  ? TABLE_TREE
                                             : TABLE_TASKS;
}

static void head(const struct model *m, struct pane p)
{
    static const char *const modes[] = {"by spawn site", "as a tree", "flat"};
    int x = 1;
    for (int s = TASK_NEW; s <= TASK_CANCELLED; s++) {
        if (m->snap->tasks_by_state[s] == SNAP_UNKNOWN)
            continue;
        x = pane_printf(p, 0, x, STYLE_DIM, "%s ", task_state_name((enum task_state)s));
        x = pane_printf(p, 0, x, STYLE_STRONG, "%s   ", fmt_count(m->snap->tasks_by_state[s]).s);
    }
    pane_printf(p, 0, x, STYLE_TEXT, "total %s", fmt_count(m->snap->tasks_total).s);
    x = pane_printf(p, 1, 1, STYLE_DIM, "shown %s%s", modes[m->nav.task_mode],
                    m->orphans_only ? ", orphans only" : "");
    int site = model_selected(m, TABLE_SITES);
    if (m->nav.site && site >= 0)
        pane_printf(p, 1, x, STYLE_SCOPE, ", spawned at %s",
                    at(m, site)->site ? at(m, site)->site : "-");
}

static void site_lines(const struct model *m, int i, int width, struct lines *out)
{
    const struct snap_task_site *s = at(m, i);
    char name[128];
    lines_add(out, STYLE_SCOPE, "%s  spawned at %s  in %s (%d)", s->name ? s->name : "(no name)",
              s->site ? s->site : "-", subject_name(m, s->pid, 0, name, sizeof(name)), s->pid);
    lines_add(out, STYLE_TEXT,
              "%s spawned: %s completed, %s failed, %s cancelled; %s live, %s of them orphaned",
              fmt_count(s->spawned).s, fmt_count(s->completed).s, fmt_count(s->failed).s,
              fmt_count(s->cancelled).s, fmt_count(s->live).s, fmt_count(s->orphaned).s);
    lines_add(out, STYLE_TEXT, "oldest %s, mean %s, p99 %s", fmt_ns(s->oldest_ns).s,
              fmt_ns(s->mean_ns).s, fmt_ns(s->p99_ns).s);
    for (int f = 0; f < m->snap->nfindings; f++) {
        const struct finding *finding = &m->snap->findings[f];
        if (finding->open && finding->pid == s->pid && finding->task.spawn_site && s->site &&
            strcmp(finding->task.spawn_site, s->site) == 0)
            lines_wrap(out, style_of(finding->severity), mark_of(finding->severity), 3, width,
                       finding->title ? finding->title : "-");
    }
}

static void page(const struct model *m, int width, struct lines *out)
{
    enum table_id t = table_of(m);
    int i = model_selected(m, t);
    if (i < 0)
        return;
    if (t == TABLE_SITES)
        site_lines(m, i, width, out);
    else
        task_lines(m, i, width, out);
}

static void detail(const struct model *m, struct pane p)
{
    struct lines lines = {0};
    page(m, p.r.w - 2, &lines);
    lines_draw(&lines, p, 0);
    lines_finish(&lines);
}

static void enter(struct model *m)
{
    struct nav next = m->nav;
    if (m->nav.page)
        return;
    if (m->nav.task_mode == TASKS_BY_SITE) {
        next.task_mode = TASKS_TREE;
        next.site = m->tables[TABLE_SITES].cursor;
    } else {
        next.page = true;
    }
    model_enter(m, next);
}

const struct view view_tasks = {
    .name = "Tasks",
    .head_rows = 2,
    .detail_rows = 7,
    .table = table_of,
    .head = head,
    .detail = detail,
    .page = page,
    .enter = enter,
    .hint = "Enter: its tasks  o orphans only  t tree/flat",
};
