// The dashboard's state: the pictures it has, and what the user chose to look at.
//
// Everything the user points at is remembered by what it is (an id), never by the row it stood on.
// The ui does nothing to the world: what a key asks of it (leave, record, seek) is put down as a
// request, which the loop in top.c carries out. So keys can be tested without a terminal.
//
// Threads: the loop's only. Ownership: the ui holds references on its snapshots.
#ifndef LOOPSCOPE_TUI_UI_H
#define LOOPSCOPE_TUI_UI_H

#include "../agent/error.h"
#include "../agent/snapshot/snapshot.h"
#include "../agent/wish.h"
#include "keys.h"
#include "layout.h"
#include "past.h"

enum view_id {
    VIEW_OVERVIEW,
    VIEW_LOOP,
    VIEW_TASKS,
    VIEW_FDS,
    VIEW_FINDINGS,
    VIEW_CHOOSE,
    VIEW_COUNT
};
enum table_id {
    TABLE_LOOPS,
    TABLE_STALLS,
    TABLE_SITES,
    TABLE_TASKS,
    TABLE_TREE,
    TABLE_FDS,
    TABLE_FINDINGS,
    TABLE_PROCESSES,
    TABLE_COUNT,
};
enum overlay {
    OVERLAY_NONE,
    OVERLAY_HELP,
    OVERLAY_SORT,
    OVERLAY_SETUP,
    OVERLAY_QUIT,
    OVERLAY_DETACH
};
enum input_kind { INPUT_NONE, INPUT_SEARCH, INPUT_FILTER, INPUT_RECORD, INPUT_EXPORT };
enum task_mode { TASKS_BY_SITE, TASKS_TREE, TASKS_FLAT };
enum stack_mode { STACK_TREE, STACK_FOLDED };
enum zoom { ZOOM_MINUTE, ZOOM_OUT, ZOOM_IN, ZOOM_COUNT };

enum request {
    REQUEST_QUIT = 1 << 0,
    REQUEST_REDRAW = 1 << 1,   // the whole screen, from nothing
    REQUEST_RESAMPLE = 1 << 2, // a snapshot now
    REQUEST_SUSPEND = 1 << 3,
    REQUEST_RECORD = 1 << 4, // to path; or the end of it
    REQUEST_EXPORT = 1 << 5, // to path
    REQUEST_COPY = 1 << 6,   // the selected item as text
    REQUEST_SEEK = 1 << 7,   // to seek_ns
    REQUEST_OPEN = 1 << 8,   // watch process open_pid
    REQUEST_DELAY = 1 << 9,  // delay_ns changed
    REQUEST_DETACH = 1 << 10,
    REQUEST_ATTACH = 1 << 11, // to the target there was
};

struct entry { // one row in display order
    uint64_t key;
    int index; // of the item in the table
    short depth;
    bool last; // of its siblings
    char fold; // '-' open node, '+' folded, 0 leaf
};

struct run {      // of rows, up to the next one: see rows_runs.c
    int first;    // row
    short from;   // byte of their texts from which their keys are; by number 0
    bool settled; // in order
};
struct runs {
    struct run *v; // NULL until needed
    int n, cap;    // 0: all rows are in order
    bool texts;    // the order is by text
};

struct table_state {
    int sort; // column, -1: the table's own order
    bool invert, follow;
    unsigned hidden; // columns, a bit each
    int skip;        // columns scrolled away
    char filter[64];
    uint64_t cursor;             // id of the selected item; 0: none
    int hint;                    // index at which it was last
    int row, top;                // where the cursor stands, first row shown
    struct entry *order, *spare; // spare: for sorting
    struct runs runs;            // of order, when it is long or by text
    int n, cap, total;           // rows; items before the filter
    struct {                     // of large tables, what depends on texts alone
        uint64_t *stamps; // of each item: a hash of its texts, and whether it passes the filter
        int n;
        unsigned generation; // of the filter and the order that they belong to
        bool same;           // all texts are what they were
        bool sorted;         // the order is by text, and nothing else moved a row
    } kept;
    uint64_t version;    // of the snapshot that the order was made from
    unsigned generation; // of what else went into it
};

struct scope { // what views 2 to 5 are limited to; pid 0: nothing
    int pid, tid;
};

struct nav { // one step of the breadcrumb
    enum view_id view;
    struct scope scope;
    enum task_mode task_mode;
    uint64_t site; // tasks of this spawn site only; 0 all
    bool page;     // the page of the selected item is open
    bool docs;     // ... and it is about its rule
};
#define NAV_MAX 8

struct input {
    enum input_kind kind;
    char text[128];
    char before[128]; // restored by Esc
};

#define MUTED_MAX  64
#define FOLDED_MAX 256

struct ui {
    struct snap *snap;   // shown; NULL until the first
    struct snap *latest; // newest that came; the same unless paused
    struct past past;
    bool paused;
    bool recorded;     // the source is a recording
    bool playing;      // ... and runs
    int64_t length_ns; // of the recording; SNAP_UNKNOWN unless recorded
    bool ended;        // no more data will come
    bool detached;     // ... because the user wanted so
    bool started;      // the target was started by us and ends with us
    bool has_end_error;
    struct error end_error; // why
    char source[128];       // what is watched, for the title
    bool choosing;          // no TARGET was given

    struct nav nav;
    struct nav stack[NAV_MAX];
    int nstack;
    struct table_state tables[TABLE_COUNT];
    enum overlay overlay;
    int overlay_row;
    char help_filter[32];
    struct input input;
    char search[64];
    int page_top, page_lines;
    enum stack_mode stack_mode;
    enum zoom zoom;
    int cpu_mode; // samples of a stall: 0 all, 1 on CPU, 2 off CPU
    bool orphans_only, suspects_only;
    bool opening_stacks; // descriptors' openers are probed, which costs the target a little
    uint64_t muted[MUTED_MAX];
    int nmuted;
    uint64_t folded[FOLDED_MAX]; // task ids
    int nfolded;
    int hold;            // snapshots for which rows keep their order, after a key
    unsigned generation; // rises when anything changes that orders depend on
    int64_t delay_ns;
    bool ascii, braille, mono, recording;
    char record_path[256];

    char message[256]; // one line until the next key
    unsigned requests;
    char path[256]; // of RECORD and EXPORT
    int64_t seek_ns, seek_from_ns;
    int seek_direction;
    int64_t seek_step_ns;
    int open_pid;
    int rows, cols; // of the screen
};

void ui_init(struct ui *ui);
void ui_finish(struct ui *ui);
// Takes a reference of its own.
void ui_snapshot(struct ui *ui, struct snap *s);
void ui_end(struct ui *ui, const struct error *err); // err may be NULL
void ui_resize(struct ui *ui, int rows, int cols);
// Brings the open table's order and cursor up to date; before drawing and before moving.
void ui_prepare(struct ui *ui);
void ui_key(struct ui *ui, int key);
void ui_command(struct ui *ui, enum command c);
// Of a recording: the picture before or after the one shown.
void ui_seek(struct ui *ui, int direction);
// Another target: forgets the pictures, keeps what the user chose.
void ui_forget(struct ui *ui);
void ui_detached(struct ui *ui);
// The same target again: forgets the pictures, keeps the place.
void ui_attaching(struct ui *ui);
// To the next place that holds ui->search: a row, or a line of the open page. False: there is none.
bool ui_search(struct ui *ui, int direction, bool from_here);
void ui_click(struct ui *ui, const struct hit *hit); // NULL is fine
// What the views need of rows, until 3 s after now (CLOCK_MONOTONIC, as the session counts).
void ui_wishes(const struct ui *ui, int64_t mono_ns, struct wishes *w);

// NULL: can be done. Else the reason, for the status row.
const char *ui_why_not(const struct ui *ui, enum command c);
void ui_say(struct ui *ui, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct table_state *ui_table(struct ui *ui);
const struct table_state *ui_table_const(const struct ui *ui);
// Index of the selected item of a table; -1: none.
int ui_selected(const struct ui *ui, enum table_id t);
bool ui_is_muted(const struct ui *ui, uint64_t id);
bool ui_in_scope(const struct ui *ui, int pid, int tid); // tid 0: the process
void ui_enter(struct ui *ui, struct nav next);           // one step deeper
void ui_changed(struct ui *ui);                          // orders must be made anew

#endif
