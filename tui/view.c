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

const struct snap_process *find_process(const struct model *m, int pid)
{
    for (int i = 0; i < m->snap->nprocesses; i++)
        if (m->snap->processes[i].pid == pid)
            return &m->snap->processes[i];
    return NULL;
}

const struct snap_loop *find_loop(const struct model *m, int pid, int tid)
{
    for (int i = 0; i < m->snap->nloops; i++)
        if (m->snap->loops[i].pid == pid && m->snap->loops[i].tid == tid)
            return &m->snap->loops[i];
    return NULL;
}

const struct finding *find_finding(const struct model *m, const char *id)
{
    for (int i = 0; i < m->snap->nfindings; i++)
        if (m->snap->findings[i].id && strcmp(m->snap->findings[i].id, id) == 0)
            return &m->snap->findings[i];
    return NULL;
}

const char *subject_name(const struct model *m, int pid, int tid, char *buf, size_t size)
{
    const struct snap_process *p = find_process(m, pid);
    const struct snap_loop *l = tid ? find_loop(m, pid, tid) : NULL;
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

const char *mark_of(enum severity s)
{
    return s == SEV_CRITICAL ? "!!" : s == SEV_WARNING ? "!" : ".";
}

enum style style_of(enum severity s)
{
    return s == SEV_CRITICAL ? STYLE_CRITICAL : s == SEV_WARNING ? STYLE_WARNING : STYLE_INFO;
}

// What concerns the whole process is counted at its first loop.
static bool concerns(const struct model *m, const struct finding *f, int pid, int tid)
{
    if (f->pid != pid)
        return false;
    if (f->tid != 0 || tid == 0)
        return f->tid == tid || tid == 0;
    const struct snap_process *p = find_process(m, pid);
    return p && p->nloops > 0 && p->loops[0] == tid;
}

int worst_finding(const struct model *m, int pid, int tid, int *ret_count)
{
    int worst = -1;
    *ret_count = 0;
    for (int i = 0; i < m->snap->nfindings; i++) {
        const struct finding *f = &m->snap->findings[i];
        if (!f->open || !concerns(m, f, pid, tid))
            continue;
        ++*ret_count;
        if ((int)f->severity > worst)
            worst = (int)f->severity;
    }
    return worst;
}
