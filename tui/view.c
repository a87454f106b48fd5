#include "view.h"

#include <stdio.h>
#include <string.h>

const struct view *const views[VIEW_COUNT] = {
    [VIEW_OVERVIEW] = &view_overview, [VIEW_LOOP] = &view_loop,
    [VIEW_TASKS] = &view_tasks,       [VIEW_FDS] = &view_fds,
    [VIEW_FINDINGS] = &view_findings, [VIEW_CHOOSE] = &view_choose,
};

const struct table *const tables[TABLE_COUNT] = {
    [TABLE_LOOPS] = &table_loops,       [TABLE_STALLS] = &table_stalls,
    [TABLE_SITES] = &table_sites,       [TABLE_TASKS] = &table_tasks,
    [TABLE_TREE] = &table_tree,         [TABLE_FDS] = &table_fds,
    [TABLE_FINDINGS] = &table_findings, [TABLE_PROCESSES] = &table_processes,
};

struct split view_split(const struct ui *ui, struct rect body)
{
    const struct view *v = views[ui->nav.view];
    int items = ui_table_const(ui)->n;
    return layout_split(body, v->head ? v->head_rows : 0, items, items > 0 ? v->detail_rows : 0);
}

enum table_id open_table(const struct ui *ui)
{
    const struct view *v = views[ui->nav.view];
    return v->table_now ? v->table_now(ui) : v->table;
}

void view_detail(const struct ui *ui, struct pane p)
{
    const struct view *v = views[ui->nav.view];
    if (v->detail) {
        v->detail(ui, p);
        return;
    }
    struct lines lines = {0};
    v->page(ui, p.r.w - 2, &lines);
    lines_draw(&lines, p, 0);
    lines_finish(&lines);
}

const struct snap_process *shown_process(const struct ui *ui, int pid)
{
    for (int i = 0; i < ui->snap->nprocesses; i++)
        if (ui->snap->processes[i].pid == pid)
            return &ui->snap->processes[i];
    return NULL;
}

const struct snap_loop *shown_loop(const struct ui *ui, int pid, int tid)
{
    for (int i = 0; i < ui->snap->nloops; i++)
        if (ui->snap->loops[i].pid == pid && ui->snap->loops[i].tid == tid)
            return &ui->snap->loops[i];
    return NULL;
}

const char *subject_name(const struct ui *ui, int pid, int tid, char *buf, size_t size)
{
    const struct snap_process *p = shown_process(ui, pid);
    const struct snap_loop *l = tid ? shown_loop(ui, pid, tid) : NULL;
    const char *name = p && p->name ? p->name : "?";
    // A main loop's thread is named like its process: once is enough.
    if (l && l->name && strcmp(l->name, name) != 0)
        snprintf(buf, size, "%s/%s", name, l->name);
    else if (l && tid != pid)
        snprintf(buf, size, "%s/%d", name, tid);
    else
        snprintf(buf, size, "%s", name);
    return buf;
}

void cell_set(struct cell_text *out, const char *text)
{
    if (text != out->text)
        snprintf(out->text, sizeof(out->text), "%s", text);
}

const char *mark_of(enum severity s)
{
    return s == SEV_CRITICAL ? "!!" : s == SEV_WARNING ? "!" : ".";
}

enum style style_of(enum severity s)
{
    return s == SEV_CRITICAL ? STYLE_CRITICAL : s == SEV_WARNING ? STYLE_WARNING : STYLE_INFO;
}

// What concerns the whole process is counted at its first loop.
static bool concerns(const struct ui *ui, const struct finding *f, int pid, int tid)
{
    if (f->pid != pid)
        return false;
    if (f->tid != 0 || tid == 0)
        return f->tid == tid || tid == 0;
    const struct snap_process *p = shown_process(ui, pid);
    return p && p->nloops > 0 && p->loops[0] == tid;
}

int worst_finding(const struct ui *ui, int pid, int tid, int *ret_count)
{
    int worst = -1;
    *ret_count = 0;
    for (int i = 0; i < ui->snap->nfindings; i++) {
        const struct finding *f = &ui->snap->findings[i];
        if (!f->open || !concerns(ui, f, pid, tid))
            continue;
        ++*ret_count;
        if ((int)f->severity > worst)
            worst = (int)f->severity;
    }
    return worst;
}
