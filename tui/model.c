#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "view.h"

#define HOLD_SNAPSHOTS 3
#define WISH_LASTS_NS  3000000000LL
#define WISH_ROWS      2000

void model_init(struct model *m)
{
    *m = (struct model){.length_ns = SNAP_UNKNOWN,
                        .delay_ns = 1000000000LL,
                        .generation = 1,
                        .rows = 30,
                        .cols = 100};
    for (int i = 0; i < TABLE_COUNT; i++)
        m->tables[i].sort = -1;
}

void model_finish(struct model *m)
{
    snap_unref(m->snap);
    snap_unref(m->latest);
    history_finish(&m->history);
    for (int i = 0; i < TABLE_COUNT; i++)
        free(m->tables[i].order);
}

void model_changed(struct model *m)
{
    m->generation++;
}

void model_say(struct model *m, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(m->message, sizeof(m->message), fmt, ap);
    va_end(ap);
}

static void show(struct model *m, struct snap *s)
{
    struct snap *before = m->snap;
    m->snap = snap_ref(s);
    snap_unref(before);
}

// A recording has no "next": a step forward that met the same picture again reaches further.
static bool step_reaches_further(struct model *m, const struct snap *s)
{
    if (m->seek_direction <= 0 || s->now_ns > m->seek_from_ns)
        return false;
    m->seek_step_ns *= 2;
    if (m->seek_from_ns + m->seek_step_ns / 2 >= m->length_ns) {
        m->playing = false;
        model_say(m, "this is the end of the recording");
        return false;
    }
    m->seek_ns = m->seek_from_ns + m->seek_step_ns;
    m->requests |= REQUEST_SEEK;
    return true;
}

void model_snapshot(struct model *m, struct snap *s)
{
    struct snap *before = m->latest;
    m->latest = snap_ref(s);
    snap_unref(before);
    m->recorded = s->recorded;
    if (m->recorded) {
        show(m, s);
        model_changed(m); // the same version may come again after a seek
        if (!step_reaches_further(m, s))
            m->seek_direction = 0;
        return;
    }
    history_push(&m->history, s);
    if (m->paused) {
        if (m->step > 0 && m->step < m->history.n - 1)
            m->step++; // the same picture is now one step further back
        return;
    }
    show(m, s);
    if (m->hold > 0)
        m->hold--;
}

void model_end(struct model *m, const struct error *err)
{
    m->ended = true;
    m->playing = false;
    m->has_end_error = err != NULL;
    if (err)
        m->end_error = *err;
}

void model_resize(struct model *m, int rows, int cols)
{
    m->rows = rows;
    m->cols = cols;
}

static enum table_id open_table(const struct model *m)
{
    return views[m->nav.view]->table(m);
}

struct table_state *model_table(struct model *m)
{
    return &m->tables[open_table(m)];
}

const struct table_state *model_table_const(const struct model *m)
{
    return &m->tables[open_table(m)];
}

int model_selected(const struct model *m, enum table_id t)
{
    const struct table_state *s = &m->tables[t];
    if (!m->snap || s->n == 0 || s->hint >= tables[t]->count(m))
        return -1;
    return s->hint;
}

bool model_is_muted(const struct model *m, uint64_t id)
{
    for (int i = 0; i < m->nmuted; i++)
        if (m->muted[i] == id)
            return true;
    return false;
}

bool model_in_scope(const struct model *m, int pid, int tid)
{
    if (m->nav.scope.pid == 0)
        return true;
    if (pid != m->nav.scope.pid)
        return false;
    return m->nav.scope.tid == 0 || tid == 0 || tid == m->nav.scope.tid;
}

static int count_page_lines(const struct model *m)
{
    struct lines lines = {0};
    if (m->nav.page && m->snap)
        views[m->nav.view]->page(m, m->cols - 3, &lines);
    int n = lines.n;
    lines_finish(&lines);
    return n;
}

void model_prepare(struct model *m)
{
    struct layout l = layout_screen(m->rows, m->cols);
    const struct view *v = views[m->nav.view];
    enum table_id id = open_table(m);
    rows_update(m, id);
    struct split s = layout_split(l.body, v->head ? v->head_rows : 0, m->tables[id].n,
                                  v->detail ? v->detail_rows : 0);
    rows_scroll(&m->tables[id], s.table.h - 1);
    m->page_lines = count_page_lines(m);
}

void model_enter(struct model *m, struct nav next)
{
    if (m->nstack == NAV_MAX) { // the oldest step is forgotten
        memmove(m->stack, m->stack + 1, sizeof(*m->stack) * (NAV_MAX - 1));
        m->nstack--;
    }
    m->stack[m->nstack++] = m->nav;
    m->nav = next;
    m->page_top = 0;
    model_changed(m);
}

static const char *why_no_step(const struct model *m, int direction)
{
    if (!m->recorded && m->history.n < 2)
        return "there is no earlier picture yet";
    if (!m->recorded && direction > 0 && m->step == 0)
        return m->paused ? "this is the newest picture before the pause; p goes on"
                         : "this is the newest picture";
    return NULL;
}

static const char *why_not_choosing(enum command c)
{
    switch (c) {
    case CMD_VIEW_1:
    case CMD_VIEW_2:
    case CMD_VIEW_3:
    case CMD_VIEW_4:
    case CMD_VIEW_5:
    case CMD_NEXT_VIEW:
    case CMD_PREVIOUS_VIEW:
    case CMD_RECORD:
    case CMD_PAUSE:
    case CMD_STEP_BACK:
    case CMD_STEP_FORWARD: return "choose a process first: Enter";
    default: return NULL;
    }
}

static const char *why_not_recorded(enum command c)
{
    switch (c) {
    case CMD_RECORD: return "this is a recording already";
    case CMD_RESAMPLE:
    case CMD_FASTER:
    case CMD_SLOWER: return "a recording gets no new data; [ and ] step through it";
    default: return NULL;
    }
}

static const char *why_not_here(const struct model *m, enum command c)
{
    enum table_id t = open_table(m);
    switch (c) {
    case CMD_VIEW_2:
        return m->nav.scope.tid == 0 && model_selected(m, TABLE_LOOPS) < 0 ? "no loop is selected"
                                                                           : NULL;
    case CMD_SORT:
    case CMD_INVERT: return tables[t]->arrange ? "a tree has its own order; t shows it flat" : NULL;
    case CMD_ENTER:
    case CMD_COPY:
    case CMD_MUTE:
    case CMD_FOLLOW: return model_selected(m, t) < 0 ? "nothing is selected" : NULL;
    case CMD_FOLD:
        return m->nav.view == VIEW_TASKS && m->nav.task_mode != TASKS_TREE
                   ? "only a tree folds; t shows it"
                   : NULL;
    case CMD_EXPORT: return m->snap ? NULL : "there is no data yet";
    case CMD_STEP_BACK: return why_no_step(m, -1);
    case CMD_STEP_FORWARD: return why_no_step(m, 1);
    default: return NULL;
    }
}

const char *model_why_not(const struct model *m, enum command c)
{
    if (!key_binding(c, m->nav.view))
        return "this key has no use in this view";
    const char *why = m->nav.view == VIEW_CHOOSE ? why_not_choosing(c) : NULL;
    if (!why && m->recorded)
        why = why_not_recorded(c);
    if (!why && m->ended && (c == CMD_RESAMPLE || (c == CMD_RECORD && !m->recording)))
        why = "the target is gone: no more data comes";
    return why ? why : why_not_here(m, c);
}

static void wish_for_tasks(const struct model *m, struct wish_rows *w)
{
    w->pid = m->nav.scope.pid;
    w->tid = m->nav.scope.tid;
    w->count = WISH_ROWS;
    w->state = -1;
    w->flags = m->orphans_only ? TASKF_ORPHANED : 0;
    int site = model_selected(m, TABLE_SITES);
    if (m->nav.site && site >= 0) {
        w->pid = m->snap->task_sites[site].pid;
        text_clean(w->filter, sizeof(w->filter), m->snap->task_sites[site].site);
    }
    snprintf(w->sort, sizeof(w->sort), "-age");
    w->until_ns = m->latest->now_ns + WISH_LASTS_NS;
}

void model_wishes(const struct model *m, struct wishes *w)
{
    w->tasks.until_ns = w->fds.until_ns = 0;
    if (!m->latest || m->ended)
        return;
    if (m->nav.view == VIEW_TASKS)
        wish_for_tasks(m, &w->tasks);
    if (m->nav.view == VIEW_FDS) {
        w->fds = (struct wish_rows){.until_ns = m->latest->now_ns + WISH_LASTS_NS,
                                    .pid = m->nav.scope.pid,
                                    .count = WISH_ROWS,
                                    .state = -1,
                                    .sort = "-age"};
        w->fd_stacks_until_ns = w->fds.until_ns;
    }
}

void model_click(struct model *m, const struct hit *hit)
{
    if (!hit)
        return;
    struct table_state *t = model_table(m);
    switch (hit->kind) {
    case HIT_ROW:
        if (t->row == hit->value)
            model_command(m, CMD_ENTER);
        else
            rows_move(m, open_table(m), hit->value);
        m->hold = HOLD_SNAPSHOTS;
        break;
    case HIT_COLUMN:
        if (model_why_not(m, CMD_SORT)) {
            model_say(m, "%s", model_why_not(m, CMD_SORT));
            break;
        }
        t->invert = t->sort == hit->value && !t->invert;
        t->sort = hit->value;
        model_changed(m);
        break;
    case HIT_TAB: model_command(m, CMD_VIEW_1 + (enum command)hit->value); break;
    case HIT_COMMAND: model_command(m, (enum command)hit->value); break;
    case HIT_NONE: break;
    }
}
