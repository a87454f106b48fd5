// A view is data and a few functions, a table likewise. A new screen is one file and one line in
// view.c. All of them are pure: they read the ui state and draw on a pane. No clock, no terminal.
#ifndef LOOPSCOPE_TUI_VIEW_H
#define LOOPSCOPE_TUI_VIEW_H

#include "canvas.h"
#include "lines.h"
#include "ui.h"

struct column {
    const char *title;
    short width;
    short priority; // 0 always shown; the highest goes first when columns are scarce
    bool right;     // aligned
    bool flex;      // takes what is left over
    bool text;      // sorted, searched and filtered as text
    bool tail;      // when cut, its end is what tells: paths with line numbers
    bool big_first; // the larger the more interesting: sorts descending at first
};

struct cell_text {
    char text[256];
    enum style style;
    // Instead of text, a sparkline:
    const int64_t *spark;
    int nspark;
};

struct table {
    const char *name; // in the state file
    const struct column *columns;
    int ncolumns;
    int (*count)(const struct ui *ui);
    bool (*include)(const struct ui *ui, int index); // NULL: all
    uint64_t (*id)(const struct ui *ui, int index);
    // Of numeric columns; SNAP_UNKNOWN sorts last. Column -1 is the natural order, smallest first.
    int64_t (*key)(const struct ui *ui, int index, int column);
    // Of text columns; may use buf. Never NULL.
    const char *(*text)(const struct ui *ui, int index, int column, char *buf, size_t size);
    void (*cell)(const struct ui *ui, int index, int column, struct cell_text *out);
    // NULL; or arranges the filtered, sorted rows as a tree (depth, last, fold).
    void (*arrange)(const struct ui *ui, struct table_state *t);
    // Why there are no rows, and what to do next. Several lines.
    void (*empty)(const struct ui *ui, int width, struct lines *out);
};

struct view {
    const char *name;
    int head_rows, detail_rows; // as many as it would like
    enum table_id table;
    enum table_id (*table_now)(const struct ui *ui);    // NULL: always the same
    void (*head)(const struct ui *ui, struct pane p);   // NULL: none
    void (*detail)(const struct ui *ui, struct pane p); // of the selected item; NULL: its page
    void (*page)(const struct ui *ui, int width, struct lines *out); // all about it: Enter, `c`
    void (*enter)(struct ui *ui);                                    // NULL: opens the page
    const char *hint;                             // its own keys, for the status row
    const char *(*hint_now)(const struct ui *ui); // NULL: always the same
};

extern const struct view *const views[]; // VIEW_COUNT of them
extern const struct table *const tables[];

extern const struct view view_overview, view_loop, view_tasks, view_fds, view_findings, view_choose;
extern const struct table table_loops, table_stalls, table_sites, table_tasks, table_tree,
    table_fds, table_findings, table_processes;

// Of the open view.
enum table_id open_table(const struct ui *ui);
void view_detail(const struct ui *ui, struct pane p);

// How the open view shares its body. An empty table gets it all, to say why it is empty.
struct split view_split(const struct ui *ui, struct rect body);

// The whole screen.
void frame_draw(const struct ui *ui, struct canvas *c);
// A view as running text, for --once: as high as it needs, no keys.
void frame_draw_text(struct ui *ui, struct canvas *c, enum view_id view, bool title);
void help_draw(const struct ui *ui, struct canvas *c);
void menu_draw(const struct ui *ui, struct canvas *c); // sort, setup, really quit
int menu_rows(const struct ui *ui);
// The cursor's item of the menu was chosen.
void menu_choose(struct ui *ui);

// Screens for when there is no table to show.
void message_waiting(const struct ui *ui, int width, struct lines *out); // no picture yet
void message_nothing(const struct ui *ui, int width, struct lines *out); // no loop seen
void message_tasks(const struct ui *ui, int width, struct lines *out);
void message_fds(const struct ui *ui, int width, struct lines *out);
void message_findings(const struct ui *ui, int width, struct lines *out);
// One line above the body about the picture's trust: paused, gone, lost. False: nothing to say.
bool message_banner(const struct ui *ui, char *out, size_t size);

// table.c
void table_draw(const struct ui *ui, enum table_id t, struct pane p);

// rows.c: makes the order of a table from filter, sort, scope; finds the cursor's item again.
void rows_update(struct ui *ui, enum table_id t);
void rows_scroll(struct ui *ui, enum table_id t, int height); // keeps the cursor on the screen
// Rows of a long table that is ordered by text are put in order only when they are wanted: before looking at them.
void rows_settle(struct ui *ui, enum table_id t, int first, int stop);
int rows_settle_item(struct ui *ui, enum table_id t, int row); // returns where it stands then
void rows_move(struct ui *ui, enum table_id t, int to);
// The next row that holds the text, in a direction; false: none.
bool rows_search(struct ui *ui, enum table_id t, const char *needle, int from, int direction);
void rows_finish(struct table_state *t);
uint64_t hash_text(uint64_t h, const char *text); // NULL is fine
#define HASH_START 0xcbf29ce484222325ULL

// Looking things up in the shown picture; NULL: not there.
const struct snap_process *shown_process(const struct ui *ui, int pid);
const struct snap_loop *shown_loop(const struct ui *ui, int pid, int tid);
// "process/loop" or "process".
const char *subject_name(const struct ui *ui, int pid, int tid, char *buf, size_t size);
void cell_set(struct cell_text *out, const char *text); // text may be out->text
const char *mark_of(enum severity s);                   // "!!" "!" "."
enum style style_of(enum severity s);
// The most severe open finding of a loop (and its process, on its first loop); -1: none. Counts them.
int worst_finding(const struct ui *ui, int pid, int tid, int *ret_count);

#endif
