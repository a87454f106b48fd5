#include "ui.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "view.h"

#define HOLD_SNAPSHOTS 3
#define WISH_LASTS_NS  3000000000LL
#define WISH_ROWS      2000

void ui_init(struct ui *ui)
{
    *ui = (struct ui){.length_ns = SNAP_UNKNOWN,
                      .delay_ns = 1000000000LL,
                      .generation = 1,
                      .rows = 30,
                      .cols = 100};
    for (int i = 0; i < TABLE_COUNT; i++)
        ui->tables[i].sort = -1;
}

void ui_finish(struct ui *ui)
{
    snap_unref(ui->snap);
    snap_unref(ui->latest);
    past_finish(&ui->past);
    for (int i = 0; i < TABLE_COUNT; i++)
        rows_finish(&ui->tables[i]);
}

void ui_forget(struct ui *ui)
{
    snap_unref(ui->snap);
    snap_unref(ui->latest);
    ui->snap = ui->latest = NULL;
    past_finish(&ui->past);
    ui->paused = ui->ended = ui->detached = ui->has_end_error = false;
    ui->nstack = 0;
    ui->nav = (struct nav){.view = ui->nav.view};
    ui_changed(ui);
}

void ui_detached(struct ui *ui)
{
    ui_end(ui, NULL);
    ui->detached = true;
}

void ui_attaching(struct ui *ui)
{
    struct nav nav = ui->nav;
    ui_forget(ui);
    nav.page = nav.docs = false;
    nav.site = 0;
    ui->nav = nav;
}

void ui_changed(struct ui *ui)
{
    ui->generation++;
}

void ui_say(struct ui *ui, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(ui->message, sizeof(ui->message), fmt, ap);
    va_end(ap);
}

static void show(struct ui *ui, struct snap *s)
{
    struct snap *before = ui->snap;
    ui->snap = snap_ref(s);
    snap_unref(before);
}

// A recording has no "next": a step forward that met the same picture again reaches further.
static bool step_reaches_further(struct ui *ui, const struct snap *s)
{
    if (ui->seek_direction <= 0 || s->now_ns > ui->seek_from_ns)
        return false;
    ui->seek_step_ns *= 2;
    if (ui->seek_from_ns + ui->seek_step_ns / 2 >= ui->length_ns) {
        ui->playing = false;
        ui_say(ui, "this is the end of the recording");
        return false;
    }
    ui->seek_ns = ui->seek_from_ns + ui->seek_step_ns;
    ui->requests |= REQUEST_SEEK;
    return true;
}

void ui_snapshot(struct ui *ui, struct snap *s)
{
    struct snap *before = ui->latest;
    ui->latest = snap_ref(s);
    snap_unref(before);
    ui->recorded = s->recorded;
    if (ui->recorded) {
        show(ui, s);
        ui_changed(ui); // the same version may come again after a seek
        if (!step_reaches_further(ui, s))
            ui->seek_direction = 0;
        return;
    }
    past_push(&ui->past, s);
    if (ui->paused)
        return;
    show(ui, s);
    if (ui->hold > 0)
        ui->hold--;
}

void ui_end(struct ui *ui, const struct error *err)
{
    ui->ended = true;
    ui->playing = false;
    ui->has_end_error = err != NULL;
    if (err)
        ui->end_error = *err;
}

void ui_resize(struct ui *ui, int rows, int cols)
{
    ui->rows = rows;
    ui->cols = cols;
}

struct table_state *ui_table(struct ui *ui)
{
    return &ui->tables[open_table(ui)];
}

const struct table_state *ui_table_const(const struct ui *ui)
{
    return &ui->tables[open_table(ui)];
}

int ui_selected(const struct ui *ui, enum table_id t)
{
    const struct table_state *s = &ui->tables[t];
    if (!ui->snap || s->n == 0 || s->hint >= tables[t]->count(ui))
        return -1;
    return s->hint;
}

bool ui_is_muted(const struct ui *ui, uint64_t id)
{
    for (int i = 0; i < ui->nmuted; i++)
        if (ui->muted[i] == id)
            return true;
    return false;
}

bool ui_in_scope(const struct ui *ui, int pid, int tid)
{
    if (ui->nav.scope.pid == 0)
        return true;
    if (pid != ui->nav.scope.pid)
        return false;
    return ui->nav.scope.tid == 0 || tid == 0 || tid == ui->nav.scope.tid;
}

static int count_page_lines(const struct ui *ui)
{
    struct lines lines = {0};
    if (ui->nav.page && ui->snap)
        views[ui->nav.view]->page(ui, ui->cols - 3, &lines);
    int n = lines.n;
    lines_finish(&lines);
    return n;
}

bool ui_search(struct ui *ui, int direction, bool from_here)
{
    if (!ui->nav.page) {
        int row = ui_table(ui)->row + (from_here ? 0 : direction);
        return rows_search(ui, open_table(ui), ui->search, row, direction);
    }
    struct lines lines = {0};
    bool found = false;
    views[ui->nav.view]->page(ui, ui->cols - 3, &lines);
    int at = ui->page_top + (from_here ? 0 : direction);
    for (int i = 0; i < lines.n && !found; i++, at += direction) {
        int line = (at % lines.n + lines.n) % lines.n;
        found = strcasestr(lines.v[line].text, ui->search) != NULL;
        if (found)
            ui->page_top = line;
    }
    lines_finish(&lines);
    return found;
}

void ui_prepare(struct ui *ui)
{
    struct layout l = layout_screen(ui->rows, ui->cols);
    enum table_id id = open_table(ui);
    rows_update(ui, id);
    rows_scroll(ui, id, view_split(ui, l.body).table.h - 1);
    ui->page_lines = count_page_lines(ui);
}

void ui_enter(struct ui *ui, struct nav next)
{
    if (ui->nstack == NAV_MAX) { // the oldest step is forgotten
        memmove(ui->stack, ui->stack + 1, sizeof(*ui->stack) * (NAV_MAX - 1));
        ui->nstack--;
    }
    ui->stack[ui->nstack++] = ui->nav;
    ui->nav = next;
    ui->page_top = 0;
    ui_changed(ui);
}

static const char *why_no_step(const struct ui *ui, int direction)
{
    if (ui->recorded)
        return NULL;
    if (ui->snap && past_next(&ui->past, ui->snap->now_ns, direction))
        return NULL;
    return direction < 0 ? "there is no earlier picture" : "this is the newest picture";
}

static const char *why_not_choosing(enum command c)
{
    switch (c) {
    case CMD_VIEW_2:
    case CMD_VIEW_3:
    case CMD_VIEW_4:
    case CMD_VIEW_5:
    case CMD_NEXT_VIEW:
    case CMD_PREVIOUS_VIEW:
    case CMD_RECORD:
    case CMD_PAUSE:
    case CMD_ATTACH:
    case CMD_STEP_BACK:
    case CMD_STEP_FORWARD: return "choose a process first: Enter; 1 shows all";
    default: return NULL;
    }
}

static const char *why_not_recorded(enum command c)
{
    switch (c) {
    case CMD_RECORD: return "this is a recording already";
    case CMD_ATTACH: return "a recording has no target to attach to";
    case CMD_OPENERS: return "a recording has the stacks it has";
    case CMD_RESAMPLE:
    case CMD_FASTER:
    case CMD_SLOWER: return "a recording gets no new data; [ and ] step through it";
    default: return NULL;
    }
}

static const char *why_not_here(const struct ui *ui, enum command c)
{
    enum table_id t = open_table(ui);
    switch (c) {
    case CMD_VIEW_2:
        return ui->nav.scope.tid == 0 && ui_selected(ui, TABLE_LOOPS) < 0 ? "no loop is selected"
                                                                          : NULL;
    case CMD_SORT:
    case CMD_INVERT: return tables[t]->arrange ? "a tree has its own order; t shows it flat" : NULL;
    case CMD_ENTER:
    case CMD_COPY:
    case CMD_MUTE:
    case CMD_FOLLOW: return ui_selected(ui, t) < 0 ? "nothing is selected" : NULL;
    case CMD_FOLD:
        return ui->nav.view == VIEW_TASKS && ui->nav.task_mode != TASKS_TREE
                   ? "only a tree folds; t shows it"
                   : NULL;
    case CMD_ATTACH:
        return ui->started && !ui->ended ? "loopscope started this program, which ends with it"
                                         : NULL;
    case CMD_DOCS: return ui_selected(ui, t) < 0 ? "nothing is selected" : NULL;
    case CMD_EXPORT: return ui->snap ? NULL : "there is no data yet";
    case CMD_STEP_BACK: return why_no_step(ui, -1);
    case CMD_STEP_FORWARD: return why_no_step(ui, 1);
    default: return NULL;
    }
}

const char *ui_why_not(const struct ui *ui, enum command c)
{
    if (!key_binding(c, ui->nav.view))
        return "this key has no use in this view";
    const char *why = ui->nav.view == VIEW_CHOOSE ? why_not_choosing(c) : NULL;
    if (!why && ui->recorded)
        why = why_not_recorded(c);
    if (!why && ui->ended && (c == CMD_RESAMPLE || (c == CMD_RECORD && !ui->recording)))
        why =
            ui->detached ? "detached: a attaches again" : "the target is gone: no more data comes";
    return why ? why : why_not_here(ui, c);
}

static void wish_for_tasks(const struct ui *ui, int64_t until_ns, struct wish_rows *w)
{
    w->pid = ui->nav.scope.pid;
    w->tid = ui->nav.scope.tid;
    w->count = WISH_ROWS;
    w->state = -1;
    w->flags = ui->orphans_only ? TASKF_ORPHANED : 0;
    int site = ui_selected(ui, TABLE_SITES);
    if (ui->nav.site && site >= 0) {
        w->pid = ui->snap->task_sites[site].pid;
        text_clean(w->filter, sizeof(w->filter), ui->snap->task_sites[site].site);
    }
    snprintf(w->sort, sizeof(w->sort), "age"); // the oldest first
    w->until_ns = until_ns;
}

void ui_wishes(const struct ui *ui, int64_t mono_ns, struct wishes *w)
{
    w->tasks.until_ns = w->fds.until_ns = 0;
    if (!ui->latest || ui->ended)
        return;
    if (ui->nav.view == VIEW_TASKS)
        wish_for_tasks(ui, mono_ns + WISH_LASTS_NS, &w->tasks);
    if (ui->nav.view == VIEW_FDS) {
        w->fds = (struct wish_rows){.until_ns = mono_ns + WISH_LASTS_NS,
                                    .pid = ui->nav.scope.pid,
                                    .count = WISH_ROWS,
                                    .state = -1,
                                    .sort = "age"};
    }
    if (ui->opening_stacks)
        w->fd_stacks_until_ns = mono_ns + WISH_LASTS_NS;
}

void ui_click(struct ui *ui, const struct hit *hit)
{
    if (!hit)
        return;
    rows_update(ui, open_table(ui)); // a picture may have come since what was clicked was drawn
    struct table_state *t = ui_table(ui);
    switch (hit->kind) {
    case HIT_ROW:
        if (t->row == hit->value)
            ui_command(ui, CMD_ENTER);
        else
            rows_move(ui, open_table(ui), hit->value);
        ui->hold = HOLD_SNAPSHOTS;
        break;
    case HIT_COLUMN:
        if (hit->value >= tables[open_table(ui)]->ncolumns) // of the view before
            break;
        if (ui_why_not(ui, CMD_SORT)) {
            ui_say(ui, "%s", ui_why_not(ui, CMD_SORT));
            break;
        }
        t->invert = t->sort == hit->value && !t->invert;
        t->sort = hit->value;
        ui_changed(ui);
        break;
    case HIT_TAB: ui_command(ui, CMD_VIEW_1 + (enum command)hit->value); break;
    case HIT_COMMAND: ui_command(ui, (enum command)hit->value); break;
    case HIT_NONE: break;
    }
}
