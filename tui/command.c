// What each command does to the model.
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "view.h"

#define HOLD_SNAPSHOTS 3
#define DELAY_MIN_NS   250000000LL
#define DELAY_MAX_NS   60000000000LL
#define STEP_NS        1000000000LL

static enum table_id open_table(const struct model *m)
{
    return views[m->nav.view]->table(m);
}

static int table_height(const struct model *m)
{
    const struct view *v = views[m->nav.view];
    struct split s = layout_split(layout_screen(m->rows, m->cols).body, v->head ? v->head_rows : 0,
                                  model_table_const(m)->n, v->detail ? v->detail_rows : 0);
    return s.table.h > 2 ? s.table.h - 1 : 1;
}

static void scroll_page(struct model *m, int by)
{
    int last = m->page_lines > 1 ? m->page_lines - 1 : 0;
    int to = m->page_top + by;
    m->page_top = to < 0 ? 0 : to > last ? last : to;
}

static void move(struct model *m, int by)
{
    if (m->overlay == OVERLAY_SORT || m->overlay == OVERLAY_SETUP) {
        int to = m->overlay_row + by, n = menu_rows(m);
        m->overlay_row = to < 0 ? 0 : to >= n ? n - 1 : to;
    } else if (m->nav.page) {
        scroll_page(m, by);
    } else {
        rows_move(m, open_table(m), model_table(m)->row + by);
    }
}

static void leave_scope(struct model *m)
{
    m->nav.scope = (struct scope){0};
    model_changed(m);
}

static void back(struct model *m)
{
    struct table_state *t = model_table(m);
    if (m->nstack > 0) {
        m->nav = m->stack[--m->nstack];
        m->page_top = 0;
        model_changed(m);
    } else if (t->filter[0]) {
        t->filter[0] = '\0';
        model_changed(m);
    } else if (m->nav.view != VIEW_OVERVIEW && m->nav.view != VIEW_CHOOSE) {
        m->nav.view = VIEW_OVERVIEW;
        m->nav.page = false;
        leave_scope(m);
    } else if (m->nav.scope.pid) {
        leave_scope(m);
    } else if (m->choosing && m->nav.view == VIEW_OVERVIEW) {
        m->nav.view = VIEW_CHOOSE;
        m->open_pid = 0;
        m->requests |= REQUEST_OPEN;
    }
}

// The loop view is always about one loop: the scope, or the one under the overview's cursor.
static void scope_to_selected(struct model *m)
{
    int i = model_selected(m, TABLE_LOOPS);
    if (m->nav.scope.tid != 0 || i < 0)
        return;
    if (i < m->snap->nloops)
        m->nav.scope = (struct scope){m->snap->loops[i].pid, m->snap->loops[i].tid};
}

static void open_view(struct model *m, enum view_id view)
{
    m->overlay = OVERLAY_NONE;
    if (view == VIEW_LOOP)
        scope_to_selected(m);
    m->nav.view = view;
    m->nav.page = false;
    m->nav.site = 0;
    m->nstack = 0;
    model_changed(m);
}

static void enter(struct model *m)
{
    const struct view *v = views[m->nav.view];
    if (v->enter) {
        v->enter(m);
    } else if (v->page && !m->nav.page) {
        struct nav next = m->nav;
        next.page = true;
        model_enter(m, next);
    }
}

static void quit(struct model *m)
{
    if (m->recording)
        m->overlay = OVERLAY_QUIT;
    else
        m->requests |= REQUEST_QUIT;
}

static void toggle_overlay(struct model *m, enum overlay o)
{
    m->overlay = m->overlay == o ? OVERLAY_NONE : o;
    m->overlay_row = o == OVERLAY_SORT ? model_table(m)->sort + 1 : 0;
    m->help_filter[0] = '\0';
}

static void open_input(struct model *m, enum input_kind kind, const char *text)
{
    m->input = (struct input){.kind = kind};
    text_clean(m->input.text, sizeof(m->input.text), text);
    text_clean(m->input.before, sizeof(m->input.before), text);
}

static void search_again(struct model *m, int direction)
{
    enum table_id t = open_table(m);
    if (!m->search[0])
        model_say(m, "nothing was searched for yet: /");
    else if (!rows_search(m, t, m->search, m->tables[t].row + direction, direction))
        model_say(m, "no row holds \"%s\"", m->search);
}

static void seek(struct model *m, int direction)
{
    m->seek_direction = direction;
    m->seek_from_ns = m->snap->now_ns;
    m->seek_step_ns = STEP_NS;
    // Going back, the picture just before this one; a recording gives the one at or before.
    m->seek_ns = direction < 0 ? m->seek_from_ns - 1 : m->seek_from_ns + m->seek_step_ns;
    m->requests |= REQUEST_SEEK;
}

static void show_step(struct model *m, int step)
{
    struct snap *s = history_at(&m->history, step);
    if (!s) {
        model_say(m, "this is the oldest picture kept");
        return;
    }
    struct snap *before = m->snap;
    m->snap = snap_ref(s);
    snap_unref(before);
    m->step = step;
    model_changed(m);
}

static void step(struct model *m, int direction)
{
    if (m->recorded) {
        m->playing = false;
        seek(m, direction);
        return;
    }
    m->paused = true;
    show_step(m, m->step - direction);
}

static void resume(struct model *m)
{
    m->paused = false;
    m->step = 0;
    struct snap *before = m->snap;
    m->snap = m->latest ? snap_ref(m->latest) : NULL;
    snap_unref(before);
    model_changed(m);
}

static void pause(struct model *m)
{
    if (m->recorded) {
        m->playing = !m->playing;
        if (m->playing)
            seek(m, 1);
    } else if (m->paused) {
        resume(m);
    } else {
        m->paused = true;
        m->step = 0;
    }
}

static void set_delay(struct model *m, int64_t delay)
{
    m->delay_ns = delay < DELAY_MIN_NS ? DELAY_MIN_NS : delay > DELAY_MAX_NS ? DELAY_MAX_NS : delay;
    m->requests |= REQUEST_DELAY;
    model_say(m, "refresh every %.2g s", (double)m->delay_ns / 1e9);
}

static void record(struct model *m)
{
    if (m->recording) {
        m->path[0] = '\0';
        m->requests |= REQUEST_RECORD;
        return;
    }
    open_input(m, INPUT_RECORD, m->record_path[0] ? m->record_path : "loopscope.lsr");
}

static void mute(struct model *m)
{
    uint64_t id = model_table(m)->cursor;
    for (int i = 0; i < m->nmuted; i++) {
        if (m->muted[i] == id) {
            m->muted[i] = m->muted[--m->nmuted];
            model_changed(m);
            return;
        }
    }
    if (m->nmuted == MUTED_MAX) {
        model_say(m, "%d findings are muted: no more", MUTED_MAX);
        return;
    }
    m->muted[m->nmuted++] = id;
    model_changed(m);
}

static void scroll_columns(struct model *m, int by)
{
    struct table_state *t = model_table(m);
    int last = tables[open_table(m)]->ncolumns - 4;
    if (by < 0 && t->skip == 0)
        back(m);
    else if (t->skip + by <= (last > 0 ? last : 0))
        t->skip += by;
}

static void switch_view(struct model *m, int by)
{
    enum command to = CMD_VIEW_1 + (enum command)((m->nav.view + VIEW_CHOOSE + by) % VIEW_CHOOSE);
    model_command(m, to);
}

static void follow(struct model *m)
{
    struct table_state *t = model_table(m);
    t->follow = !t->follow;
    model_say(m, t->follow ? "this row stays on top" : "no row is kept on top");
    model_changed(m);
}

// Of a stack: its form. Of a task: its children.
static void fold(struct model *m)
{
    if (m->nav.view != VIEW_TASKS) {
        m->stack_mode = m->stack_mode == STACK_TREE ? STACK_FOLDED : STACK_TREE;
        return;
    }
    uint64_t id = model_table(m)->cursor;
    for (int i = 0; i < m->nfolded; i++) {
        if (m->folded[i] == id) {
            m->folded[i] = m->folded[--m->nfolded];
            return;
        }
    }
    if (m->nfolded < FOLDED_MAX)
        m->folded[m->nfolded++] = id;
}

static bool move_command(struct model *m, enum command c)
{
    int page = m->nav.page ? m->rows - 6 : table_height(m);
    switch (c) {
    case CMD_UP: move(m, -1); return true;
    case CMD_DOWN: move(m, 1); return true;
    case CMD_FIRST: move(m, -(1 << 29)); return true;
    case CMD_LAST: move(m, 1 << 29); return true;
    case CMD_HALF_UP: move(m, -(page / 2 + 1)); return true;
    case CMD_HALF_DOWN: move(m, page / 2 + 1); return true;
    case CMD_PAGE_UP: move(m, -page); return true;
    case CMD_PAGE_DOWN: move(m, page); return true;
    case CMD_LEFT: scroll_columns(m, -1); return true;
    case CMD_RIGHT: scroll_columns(m, 1); return true;
    default: return false;
    }
}

static bool time_command(struct model *m, enum command c)
{
    switch (c) {
    case CMD_PAUSE: pause(m); return true;
    case CMD_STEP_BACK: step(m, -1); return true;
    case CMD_STEP_FORWARD: step(m, 1); return true;
    case CMD_FASTER: set_delay(m, m->delay_ns / 2); return true;
    case CMD_SLOWER: set_delay(m, m->delay_ns * 2); return true;
    case CMD_RESAMPLE: m->requests |= REQUEST_RESAMPLE; return true;
    case CMD_REDRAW: m->requests |= REQUEST_REDRAW; return true;
    default: return false;
    }
}

static bool find_command(struct model *m, enum command c)
{
    switch (c) {
    case CMD_SEARCH: open_input(m, INPUT_SEARCH, ""); return true;
    case CMD_SEARCH_NEXT: search_again(m, 1); return true;
    case CMD_SEARCH_PREVIOUS: search_again(m, -1); return true;
    case CMD_FILTER: open_input(m, INPUT_FILTER, model_table(m)->filter); return true;
    case CMD_SORT: toggle_overlay(m, OVERLAY_SORT); return true;
    case CMD_INVERT:
        model_table(m)->invert = !model_table(m)->invert;
        model_changed(m);
        return true;
    case CMD_FOLLOW: follow(m); return true;
    default: return false;
    }
}

static bool switch_command(struct model *m, enum command c)
{
    switch (c) {
    case CMD_TREE:
        m->nav.task_mode = (m->nav.task_mode + 1) % 3;
        m->nav.site = 0;
        break;
    case CMD_FOLD: fold(m); break;
    case CMD_ON_CPU: m->cpu_mode = (m->cpu_mode + 1) % 3; break;
    case CMD_ORPHANS: m->orphans_only = !m->orphans_only; break;
    case CMD_SUSPECTS: m->suspects_only = !m->suspects_only; break;
    case CMD_MUTE: mute(m); break;
    default: return false;
    }
    model_changed(m);
    return true;
}

static void other_command(struct model *m, enum command c)
{
    switch (c) {
    case CMD_NEXT_VIEW: switch_view(m, 1); break;
    case CMD_PREVIOUS_VIEW: switch_view(m, -1); break;
    case CMD_ENTER: enter(m); break;
    case CMD_BACK: back(m); break;
    case CMD_QUIT: quit(m); break;
    case CMD_HELP: toggle_overlay(m, OVERLAY_HELP); break;
    case CMD_SETUP: toggle_overlay(m, OVERLAY_SETUP); break;
    case CMD_RECORD: record(m); break;
    case CMD_EXPORT: open_input(m, INPUT_EXPORT, "loopscope-report.html"); break;
    case CMD_COPY: m->requests |= REQUEST_COPY; break;
    case CMD_SUSPEND: m->requests |= REQUEST_SUSPEND; break;
    default:
        if (c >= CMD_VIEW_1 && c <= CMD_VIEW_5)
            open_view(m, (enum view_id)(c - CMD_VIEW_1));
    }
}

void model_command(struct model *m, enum command c)
{
    m->message[0] = '\0';
    m->hold = HOLD_SNAPSHOTS;
    const char *why = model_why_not(m, c);
    if (why) {
        model_say(m, "%s", why);
        return;
    }
    rows_update(m, open_table(m));
    if (!move_command(m, c) && !time_command(m, c) && !find_command(m, c) && !switch_command(m, c))
        other_command(m, c);
}
