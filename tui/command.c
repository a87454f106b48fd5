// What each command does to the ui state.
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "view.h"

#define HOLD_SNAPSHOTS 3
#define DELAY_MIN_NS   250000000LL
#define DELAY_MAX_NS   60000000000LL
#define STEP_NS        1000000000LL

static int table_height(const struct ui *ui)
{
    struct split s = view_split(ui, layout_screen(ui->rows, ui->cols).body);
    return s.table.h > 2 ? s.table.h - 1 : 1;
}

static void scroll_page(struct ui *ui, int by)
{
    int last = ui->page_lines > 1 ? ui->page_lines - 1 : 0;
    int to = ui->page_top + by;
    ui->page_top = to < 0 ? 0 : to > last ? last : to;
}

static void move(struct ui *ui, int by)
{
    if (ui->overlay == OVERLAY_SORT || ui->overlay == OVERLAY_SETUP) {
        int to = ui->overlay_row + by, n = menu_rows(ui);
        ui->overlay_row = to < 0 ? 0 : to >= n ? n - 1 : to;
    } else if (ui->nav.page) {
        scroll_page(ui, by);
    } else {
        rows_move(ui, open_table(ui), ui_table(ui)->row + by);
    }
}

static void leave_scope(struct ui *ui)
{
    ui->nav.scope = (struct scope){0};
    ui_changed(ui);
}

static void back(struct ui *ui)
{
    struct table_state *t = ui_table(ui);
    if (ui->nstack > 0) {
        ui->nav = ui->stack[--ui->nstack];
        ui->page_top = 0;
        ui_changed(ui);
    } else if (t->filter[0]) {
        t->filter[0] = '\0';
        ui_changed(ui);
    } else if (ui->nav.view != VIEW_OVERVIEW && ui->nav.view != VIEW_CHOOSE) {
        ui->nav.view = VIEW_OVERVIEW;
        ui->nav.page = ui->nav.docs = false;
        leave_scope(ui);
    } else if (ui->nav.scope.pid) {
        leave_scope(ui);
    } else if (ui->choosing && ui->nav.view == VIEW_OVERVIEW) {
        ui->nav.view = VIEW_CHOOSE;
        if (ui->open_pid) // else all are watched already
            ui->requests |= REQUEST_OPEN;
        ui->open_pid = 0;
    }
}

// The loop view is always about one loop: the scope, or the one under the overview's cursor.
static void scope_to_selected(struct ui *ui)
{
    int i = ui_selected(ui, TABLE_LOOPS);
    if (ui->nav.scope.tid != 0 || i < 0)
        return;
    if (i < ui->snap->nloops)
        ui->nav.scope = (struct scope){ui->snap->loops[i].pid, ui->snap->loops[i].tid};
}

static void open_view(struct ui *ui, enum view_id view)
{
    ui->overlay = OVERLAY_NONE;
    if (view == VIEW_LOOP)
        scope_to_selected(ui);
    ui->nav.view = view;
    ui->nav.page = ui->nav.docs = false;
    ui->nav.site = 0;
    ui->nstack = 0;
    ui_changed(ui);
}

static void enter(struct ui *ui)
{
    const struct view *v = views[ui->nav.view];
    if (v->enter) {
        v->enter(ui);
    } else if (v->page && !ui->nav.page) {
        struct nav next = ui->nav;
        next.page = true;
        ui_enter(ui, next);
    }
}

static void quit(struct ui *ui)
{
    if (ui->recording)
        ui->overlay = OVERLAY_QUIT;
    else
        ui->requests |= REQUEST_QUIT;
}

static void toggle_overlay(struct ui *ui, enum overlay o)
{
    ui->overlay = ui->overlay == o ? OVERLAY_NONE : o;
    ui->overlay_row = o == OVERLAY_SORT ? ui_table(ui)->sort + 1 : 0;
    ui->help_filter[0] = '\0';
}

static void open_input(struct ui *ui, enum input_kind kind, const char *text)
{
    ui->input = (struct input){.kind = kind};
    text_clean(ui->input.text, sizeof(ui->input.text), text);
    text_clean(ui->input.before, sizeof(ui->input.before), text);
}

static void search_again(struct ui *ui, int direction)
{
    if (!ui->search[0])
        ui_say(ui, "nothing was searched for yet: /");
    else if (!ui_search(ui, direction, false))
        ui_say(ui, "nothing holds \"%s\"", ui->search);
}

void ui_seek(struct ui *ui, int direction)
{
    ui->seek_direction = direction;
    ui->seek_from_ns = ui->snap->now_ns;
    ui->seek_step_ns = STEP_NS;
    // Going back, the picture just before this one; a recording gives the one at or before.
    ui->seek_ns = direction < 0 ? ui->seek_from_ns - 1 : ui->seek_from_ns + ui->seek_step_ns;
    ui->requests |= REQUEST_SEEK;
}

static void step(struct ui *ui, int direction)
{
    if (ui->recorded) {
        ui->playing = false;
        ui_seek(ui, direction);
        return;
    }
    ui->paused = true;
    struct snap *before = ui->snap;
    ui->snap =
        snap_ref(past_next(&ui->past, before->now_ns, direction)); // there is one: why_no_step
    snap_unref(before);
    ui_changed(ui);
}

static void resume(struct ui *ui)
{
    ui->paused = false;
    struct snap *before = ui->snap;
    ui->snap = ui->latest ? snap_ref(ui->latest) : NULL;
    snap_unref(before);
    ui_changed(ui);
}

static void pause(struct ui *ui)
{
    if (ui->recorded) {
        ui->playing = !ui->playing;
        if (ui->playing)
            ui_seek(ui, 1);
    } else if (ui->paused) {
        resume(ui);
    } else {
        ui->paused = true;
    }
}

static void set_delay(struct ui *ui, int64_t delay)
{
    ui->delay_ns = delay < DELAY_MIN_NS   ? DELAY_MIN_NS
                   : delay > DELAY_MAX_NS ? DELAY_MAX_NS
                                          : delay;
    ui->requests |= REQUEST_DELAY;
    ui_say(ui, "refresh every %.2g s", (double)ui->delay_ns / 1e9);
}

static void record(struct ui *ui)
{
    if (ui->recording) {
        ui->path[0] = '\0';
        ui->requests |= REQUEST_RECORD;
        return;
    }
    open_input(ui, INPUT_RECORD, ui->record_path[0] ? ui->record_path : "loopscope.lsr");
}

static void mute(struct ui *ui)
{
    uint64_t id = ui_table(ui)->cursor;
    for (int i = 0; i < ui->nmuted; i++) {
        if (ui->muted[i] == id) {
            ui->muted[i] = ui->muted[--ui->nmuted];
            ui_changed(ui);
            return;
        }
    }
    if (ui->nmuted == MUTED_MAX) {
        ui_say(ui, "%d findings are muted: no more", MUTED_MAX);
        return;
    }
    ui->muted[ui->nmuted++] = id;
    ui_changed(ui);
}

static void scroll_columns(struct ui *ui, int by)
{
    struct table_state *t = ui_table(ui);
    int last = tables[open_table(ui)]->ncolumns - 4;
    if (by < 0 && t->skip == 0)
        back(ui);
    else if (t->skip + by <= (last > 0 ? last : 0))
        t->skip += by;
}

static void switch_view(struct ui *ui, int by)
{
    enum command to = CMD_VIEW_1 + (enum command)((ui->nav.view + VIEW_CHOOSE + by) % VIEW_CHOOSE);
    ui_command(ui, to);
}

static void follow(struct ui *ui)
{
    struct table_state *t = ui_table(ui);
    t->follow = !t->follow;
    ui_say(ui, t->follow ? "this row stays on top" : "no row is kept on top");
    ui_changed(ui);
}

// Of a stack: its form. Of a task: its children.
static void fold(struct ui *ui)
{
    if (ui->nav.view != VIEW_TASKS) {
        ui->stack_mode = ui->stack_mode == STACK_TREE ? STACK_FOLDED : STACK_TREE;
        return;
    }
    uint64_t id = ui_table(ui)->cursor;
    for (int i = 0; i < ui->nfolded; i++) {
        if (ui->folded[i] == id) {
            ui->folded[i] = ui->folded[--ui->nfolded];
            return;
        }
    }
    if (ui->nfolded < FOLDED_MAX)
        ui->folded[ui->nfolded++] = id;
}

static bool move_command(struct ui *ui, enum command c)
{
    int page = ui->nav.page ? ui->rows - 6 : table_height(ui);
    switch (c) {
    case CMD_UP: move(ui, -1); return true;
    case CMD_DOWN: move(ui, 1); return true;
    case CMD_FIRST: move(ui, -(1 << 29)); return true;
    case CMD_LAST: move(ui, 1 << 29); return true;
    case CMD_HALF_UP: move(ui, -(page / 2 + 1)); return true;
    case CMD_HALF_DOWN: move(ui, page / 2 + 1); return true;
    case CMD_PAGE_UP: move(ui, -page); return true;
    case CMD_PAGE_DOWN: move(ui, page); return true;
    case CMD_LEFT: scroll_columns(ui, -1); return true;
    case CMD_RIGHT: scroll_columns(ui, 1); return true;
    default: return false;
    }
}

static bool time_command(struct ui *ui, enum command c)
{
    switch (c) {
    case CMD_PAUSE: pause(ui); return true;
    case CMD_STEP_BACK: step(ui, -1); return true;
    case CMD_STEP_FORWARD: step(ui, 1); return true;
    case CMD_FASTER: set_delay(ui, ui->delay_ns / 2); return true;
    case CMD_SLOWER: set_delay(ui, ui->delay_ns * 2); return true;
    case CMD_RESAMPLE: ui->requests |= REQUEST_RESAMPLE; return true;
    case CMD_REDRAW: ui->requests |= REQUEST_REDRAW; return true;
    default: return false;
    }
}

static void zoom(struct ui *ui)
{
    ui->zoom = (ui->zoom + 1) % ZOOM_COUNT;
    if (ui->zoom == ZOOM_OUT && ui->recorded)
        ui_say(ui, "a picture of a recording knows the minute before it: [ goes back");
}

// The target itself never notices: this is about what loopscope costs it, and what it may see.
static void attach(struct ui *ui)
{
    if (ui->ended)
        ui->requests |= REQUEST_ATTACH;
    else
        ui->overlay = OVERLAY_DETACH;
}

static void docs(struct ui *ui)
{
    struct nav next = ui->nav;
    if (ui->nav.docs)
        return;
    next.page = next.docs = true;
    ui_enter(ui, next);
}

static bool find_command(struct ui *ui, enum command c)
{
    switch (c) {
    case CMD_SEARCH: open_input(ui, INPUT_SEARCH, ""); return true;
    case CMD_SEARCH_NEXT: search_again(ui, 1); return true;
    case CMD_SEARCH_PREVIOUS: search_again(ui, -1); return true;
    case CMD_FILTER: open_input(ui, INPUT_FILTER, ui_table(ui)->filter); return true;
    case CMD_SORT: toggle_overlay(ui, OVERLAY_SORT); return true;
    case CMD_INVERT:
        ui_table(ui)->invert = !ui_table(ui)->invert;
        ui_changed(ui);
        return true;
    case CMD_FOLLOW: follow(ui); return true;
    default: return false;
    }
}

// Within a spawn site its tasks stay in sight, as a tree or flat.
static void next_task_mode(struct nav *nav)
{
    nav->task_mode = (nav->task_mode + 1) % 3;
    if (nav->site && nav->task_mode == TASKS_BY_SITE)
        nav->task_mode = TASKS_TREE;
}

static bool switch_command(struct ui *ui, enum command c)
{
    switch (c) {
    case CMD_TREE: next_task_mode(&ui->nav); break;
    case CMD_FOLD: fold(ui); break;
    case CMD_ON_CPU: ui->cpu_mode = (ui->cpu_mode + 1) % 3; break;
    case CMD_ORPHANS: ui->orphans_only = !ui->orphans_only; break;
    case CMD_SUSPECTS: ui->suspects_only = !ui->suspects_only; break;
    case CMD_OPENERS: ui->opening_stacks = !ui->opening_stacks; break;
    case CMD_MUTE: mute(ui); break;
    case CMD_ZOOM: zoom(ui); break;
    default: return false;
    }
    ui_changed(ui);
    return true;
}

static void other_command(struct ui *ui, enum command c)
{
    switch (c) {
    case CMD_NEXT_VIEW: switch_view(ui, 1); break;
    case CMD_PREVIOUS_VIEW: switch_view(ui, -1); break;
    case CMD_ENTER: enter(ui); break;
    case CMD_BACK: back(ui); break;
    case CMD_QUIT: quit(ui); break;
    case CMD_HELP: toggle_overlay(ui, OVERLAY_HELP); break;
    case CMD_SETUP: toggle_overlay(ui, OVERLAY_SETUP); break;
    case CMD_RECORD: record(ui); break;
    case CMD_EXPORT: open_input(ui, INPUT_EXPORT, "loopscope-report.html"); break;
    case CMD_COPY: ui->requests |= REQUEST_COPY; break;
    case CMD_SUSPEND: ui->requests |= REQUEST_SUSPEND; break;
    case CMD_ATTACH: attach(ui); break;
    case CMD_DOCS: docs(ui); break;
    default:
        if (c >= CMD_VIEW_1 && c <= CMD_VIEW_5)
            open_view(ui, (enum view_id)(c - CMD_VIEW_1));
    }
}

void ui_command(struct ui *ui, enum command c)
{
    ui->message[0] = '\0';
    ui->hold = HOLD_SNAPSHOTS;
    const char *why = ui_why_not(ui, c);
    if (why) {
        ui_say(ui, "%s", why);
        return;
    }
    rows_update(ui, open_table(ui));
    if (!move_command(ui, c) && !time_command(ui, c) && !find_command(ui, c) &&
        !switch_command(ui, c))
        other_command(ui, c);
}
