// One-shot tables as text.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../snapshot/cycle.h"
#include "table.h"
#include "text.h"

static const struct snap_process *process_of(const struct snap *s, int pid)
{
    for (int i = 0; i < s->nprocesses; i++)
        if (s->processes[i].pid == pid)
            return &s->processes[i];
    return NULL;
}

static void cell_process(struct table *table, const struct snap *s, int pid)
{
    const struct snap_process *p = process_of(s, pid);
    table_cell(table, p ? p->name : NULL);
}

void text_processes(const struct text *t, const struct snap *s)
{
    struct table *table = table_new(">PID|NAME|RUNTIME|>LOOPS|>TASKS|>FDS|>LIMIT|WHAT");
    for (int i = 0; i < s->nprocesses; i++) {
        const struct snap_process *p = &s->processes[i];
        table_cellf(table, "%d", p->pid);
        table_cell(table, p->name);
        table_cellf(table, "%s%s%s", p->runtime ? runtime_name(p->runtime) : "-",
                    p->runtime_version ? " " : "", p->runtime_version ? p->runtime_version : "");
        table_cellf(table, "%d", p->nloops);
        table_cell(table, human_count(p->ntasks).text);
        table_cell(table, human_count(p->fd_count).text);
        table_cell(table, human_count(p->fd_limit).text);
        table_cell(table, p->why_not ? p->why_not : p->exited ? "exited" : p->cmdline);
    }
    table_print(table, t->out, t->table_width, t->o->color);
}

static void cell_loop_task(struct table *table, const struct snap_loop *l)
{
    const struct frame *c =
        l->stack && l->stack->culprit >= 0 ? &l->stack->frames[l->stack->culprit] : NULL;
    char buf[300];
    if (c)
        table_cellf(table, "in %s", frame_text(c, buf, sizeof(buf)));
    else if (l->task.id)
        table_cellf(table, "task %s", l->task.name ? l->task.name : l->task.id);
    else
        table_cell(table, l->why_not);
}

void text_loops(const struct text *t, const struct snap *s)
{
    if (s->nloops == 0) {
        fputs("no event loop has been seen here: a loop shows when it polls\n", t->out);
        return;
    }
    struct table *table =
        table_new(">PID|PROCESS|>TID|LOOP|STATE|>BLOCKED|>BUSY|>P50|>P99|>MAX|>TURNS|NOW");
    for (int i = 0; i < s->nloops; i++) {
        const struct snap_loop *l = &s->loops[i];
        table_cellf(table, "%d", l->pid);
        cell_process(table, s, l->pid);
        table_cellf(table, "%d", l->tid);
        table_cell(table, l->name);
        table_cell(table, loop_state_name(l->state));
        table_cell(table, l->blocked_ns > 0 ? human_ns(l->blocked_ns).text : NULL);
        table_cell(table, human_ratio(l->busy_ratio).text);
        table_cell(table, human_ns(l->lag_p50_ns).text);
        table_cell(table, human_ns(l->lag_p99_ns).text);
        table_cell(table, human_ns(l->lag_max_ns).text);
        table_cellf(table, "%s%s", l->turns_estimated && l->turns != SNAP_UNKNOWN ? "~" : "",
                    human_count(l->turns).text);
        cell_loop_task(table, l);
    }
    table_print(table, t->out, t->table_width, t->o->color);
}

static bool shows(const struct text *t, const struct snap_task *task)
{
    if (t->o->task_state >= 0 && (int)task->state != t->o->task_state)
        return false;
    return !t->o->orphans || task->flags & TASKF_ORPHANED;
}

static void flags_text(unsigned flags, char *buf, size_t size)
{
    static const char *const names[] = {
        "orphaned",      "stuck",         "timed-out", "error-unread", "cancelling",
        "never-started", "never-awaited", "detached",  "self-waking",  "cycle",
        "unstable",      "unheld",        "no-waker"};
    *buf = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (flags & 1u << i) {
            strncat(buf, *buf ? "," : "", size - strlen(buf) - 1);
            strncat(buf, names[i], size - strlen(buf) - 1);
        }
}

static void task_row(struct table *table, const struct snap_task *task, int depth)
{
    char flags[160];
    flags_text(task->flags, flags, sizeof(flags));
    table_cell(table, task->id);
    table_cellf(table, "%*s%s", depth * 2, "", task->name ? task->name : "-");
    table_cell(table, task_state_name(task->state));
    table_cell(table, human_ns(task->age_ns).text);
    table_cell(table, human_ns(task->busy_ns).text);
    table_cell(table, flags);
    table_cell(table, task->spawn_site);
    table_cellf(table, "%s%s%s",
                task->await_site ? task->await_site
                : task->error    ? ""
                                 : "-",
                task->waits_on ? "  on "
                : task->error  ? "failed: "
                               : "",
                task->waits_on ? task->waits_on
                : task->error  ? task->error
                               : "");
}

static bool is_child(const struct snap_task *task, const struct snap_task *parent)
{
    return task->parent && parent->id && task->pid == parent->pid &&
           !strcmp(task->parent, parent->id);
}

// Rows come from a target: a cycle of parents must not recurse, so each row is printed once.
static void task_branch(struct table *table, const struct text *t, const struct snap *s, int i,
                        int depth, bool *done)
{
    if (done[i])
        return;
    done[i] = true;
    if (shows(t, &s->tasks[i]))
        task_row(table, &s->tasks[i], depth);
    for (int k = 0; k < s->ntasks; k++)
        if (!done[k] && depth < 200 && is_child(&s->tasks[k], &s->tasks[i]))
            task_branch(table, t, s, k, depth + 1, done);
}

static bool has_parent(const struct snap *s, int i)
{
    for (int k = 0; k < s->ntasks; k++)
        if (k != i && is_child(&s->tasks[i], &s->tasks[k]))
            return true;
    return false;
}

static void task_tree(struct table *table, const struct text *t, const struct snap *s)
{
    bool *done = calloc((size_t)s->ntasks + 1, sizeof(*done));
    if (!done)
        abort();
    for (int i = 0; i < s->ntasks; i++)
        if (!has_parent(s, i))
            task_branch(table, t, s, i, 0, done);
    for (int i = 0; i < s->ntasks; i++) // what hangs on a cycle
        task_branch(table, t, s, i, 0, done);
    free(done);
}

static void task_sites(const struct text *t, const struct snap *s)
{
    struct table *table = table_new(
        ">PID|NAME|>LIVE|>ORPHANS|>SPAWNED|>DONE|>FAILED|>GROWTH|>OLDEST|>MEAN|>P99|SPAWNED AT");
    for (int i = 0; i < s->ntask_sites; i++) {
        const struct snap_task_site *k = &s->task_sites[i];
        table_cellf(table, "%d", k->pid);
        table_cell(table, k->name);
        table_cell(table, human_count(k->live).text);
        table_cell(table, human_count(k->orphaned).text);
        table_cell(table, human_count(k->spawned).text);
        table_cell(table, human_count(k->completed).text);
        table_cell(table, human_count(k->failed).text);
        table_cell(table, human_rate(k->growth_per_s).text);
        table_cell(table, human_ns(k->oldest_ns).text);
        table_cell(table, human_ns(k->mean_ns).text);
        table_cell(table, human_ns(k->p99_ns).text);
        table_cell(table, k->site);
    }
    table_print(table, t->out, t->table_width, t->o->color);
}

static void task_cycles(const struct text *t, const struct snap *s)
{
    struct table *table = NULL;
    const char *names[CYCLE_MAX];
    for (int i = 0; i < s->ntasks; i++) {
        char line[1000] = "";
        size_t used = 0;
        if (!(s->tasks[i].flags & TASKF_CYCLE) || !cycle_begins_at(s, &s->tasks[i]))
            continue;
        int n = cycle_names(s, &s->tasks[i], names);
        for (int k = 0; k < n && used < sizeof(line); k++)
            used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", k ? " -> " : "",
                                     names[k]);
        if (!table)
            table = table_new("WAIT FOR EACH OTHER");
        table_cell(table, line);
    }
    if (!table)
        return;
    fputc('\n', t->out);
    table_print(table, t->out, t->table_width, t->o->color);
}

static int count_shown(const struct text *t, const struct snap *s)
{
    int n = 0;
    for (int i = 0; i < s->ntasks; i++)
        n += shows(t, &s->tasks[i]);
    return n;
}

static void none_shown(const struct text *t, const char *total)
{
    const char *state = t->o->task_state < 0 ? "" : task_state_name(t->o->task_state);
    fprintf(t->out, "none of %s tasks is %s%s%s\n", total, state,
            *state && t->o->orphans ? " and " : "", t->o->orphans ? "orphaned" : "");
}

static void task_rows(const struct text *t, const struct snap *s)
{
    struct table *table = table_new("ID|NAME|STATE|>AGE|>BUSY|FLAGS|SPAWNED AT|WAITS AT");
    if (t->o->tree)
        task_tree(table, t, s);
    for (int i = 0; i < s->ntasks && !t->o->tree; i++)
        if (shows(t, &s->tasks[i]))
            task_row(table, &s->tasks[i], 0);
    table_print(table, t->out, t->table_width, t->o->color);
}

void text_tasks(const struct text *t, const struct snap *s)
{
    if (s->ntasks == 0 && s->ntask_sites == 0) {
        fputs("no tasks can be seen here: only loopscope's runtime and asyncio keep some\n",
              t->out);
        return;
    }
    if (t->o->by_site) {
        task_sites(t, s);
        return;
    }
    int shown = count_shown(t, s);
    int64_t total = s->tasks_total == SNAP_UNKNOWN ? s->ntasks : s->tasks_total;
    if (shown == 0 && (t->o->orphans || t->o->task_state >= 0)) {
        none_shown(t, human_count(total).text);
        return;
    }
    task_rows(t, s);
    if (total > shown)
        fprintf(t->out, "%d of %s tasks\n", shown, human_count(total).text);
    task_cycles(t, s);
}

static const char *why_no_site(const struct snap *s, const struct snap_fd_site *f)
{
    if (f->is_handle)
        return "-";
    if (s->agent.drift != SNAP_UNKNOWN) // a tracker is there
        return s->agent.lost_records > 0 ? "(before openers were followed, or not seen)"
                                         : "(before openers were followed)";
    return f->can_follow ? "(not followed: --fd-stacks)" : "(openers cannot be followed)";
}

static void cell_site(const struct snap *s, struct table *table, const struct snap_fd_site *f)
{
    char buf[300];
    bool named = f->stack && f->stack->nframes > 0;
    int i = named && f->stack->culprit >= 0 ? f->stack->culprit : 0;
    if (f->note && (!named || f->stack->culprit < 0 || strncmp(f->note, "no line", 7) == 0))
        table_cell(table, f->note);
    else if (!named)
        table_cell(table, why_no_site(s, f));
    else
        table_cell(table, frame_text(&f->stack->frames[i], buf, sizeof(buf)));
}

static void fd_details(const struct text *t, const struct snap *s)
{
    struct table *table = table_new(">PID|>FD|KIND|>AGE|>IDLE|STATE|TASK|TARGET");
    for (int i = 0; i < s->nfds; i++)
        for (int k = 0; k < s->fds[i].ndetail; k++) {
            const struct snap_fd *f = &s->fds[i].detail[k];
            table_cellf(table, "%d", s->fds[i].pid);
            table_cellf(table, "%d", f->fd);
            table_cell(table, s->fds[i].kind);
            table_cell(table, human_ns(f->age_ns).text);
            table_cell(table, human_ns(f->idle_ns).text);
            table_cell(table, f->state);
            table_cell(table, f->task.name ? f->task.name : f->task.id);
            table_cell(table, f->target);
        }
    table_print(table, t->out, t->table_width, t->o->color);
}

void text_fds(const struct text *t, const struct snap *s)
{
    struct table *table =
        table_new(">PID|PROCESS|KIND|>OPEN|>OPENED|>CLOSED|>OLDEST|>GROWTH|VERDICT|OPENED BY");
    int details = 0;
    for (int i = 0; i < s->nfds; i++) {
        const struct snap_fd_site *f = &s->fds[i];
        details += f->ndetail;
        table_cellf(table, "%d", f->pid);
        cell_process(table, s, f->pid);
        table_cell(table, f->kind);
        table_cell(table, human_count(f->open).text);
        table_cell(table, human_count(f->opened).text);
        table_cell(table, human_count(f->closed).text);
        table_cell(table, human_ns(f->oldest_ns).text);
        table_cell(table, human_rate(f->growth_per_s).text);
        table_cell(table, f->verdict);
        cell_site(s, table, f);
    }
    table_print(table, t->out, t->table_width, t->o->color);
    if (details > 0) {
        fputc('\n', t->out);
        fd_details(t, s);
    }
}
