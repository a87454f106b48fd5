// The tasks themselves, flat or as a tree of who spawned whom. The rows are those that were wished for.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "format.h"
#include "text.h"
#include "view.h"
#include "view_tasks.h"

#define DEPTH_MAX 500

enum { COL_MARK, COL_TASK, COL_ID, COL_STATE, COL_AGE, COL_AWAITS, COL_RAN, COL_STEPS, COL_FLAGS };

static const struct column columns[] = {
    [COL_MARK] = {.title = "", .width = 2},
    [COL_TASK] = {.title = "TASK", .width = 18, .text = true, .flex = true},
    [COL_ID] = {.title = "ID", .width = 11, .text = true, .right = true, .priority = 4},
    [COL_STATE] = {.title = "STATE", .width = 9, .text = true},
    [COL_AGE] = {.title = "AGE", .width = 6, .right = true, .big_first = true},
    [COL_AWAITS] = {.title = "AWAITS AT", .width = 18, .text = true, .flex = true, .priority = 3},
    [COL_RAN] = {.title = "RAN", .width = 6, .right = true, .priority = 2, .big_first = true},
    [COL_STEPS] = {.title = "STEPS", .width = 6, .right = true, .priority = 5, .big_first = true},
    [COL_FLAGS] = {.title = "FLAGS", .width = 12, .text = true, .flex = true, .priority = 1},
};

static const struct snap_task *at(const struct ui *ui, int i)
{
    return &ui->snap->tasks[i];
}

static int count(const struct ui *ui)
{
    return ui->snap->ntasks;
}

static bool include(const struct ui *ui, int i)
{
    const struct snap_task *t = at(ui, i);
    if (!ui_in_scope(ui, t->pid, t->tid))
        return false;
    if (ui->nav.site && task_site_id(t->pid, t->spawn_site) != ui->nav.site)
        return false;
    return !ui->orphans_only || (t->flags & TASKF_ORPHANED);
}

static uint64_t task_id(int pid, const char *id)
{
    return hash_text(HASH_START ^ (uint64_t)pid, id);
}

static uint64_t id(const struct ui *ui, int i)
{
    return task_id(at(ui, i)->pid, at(ui, i)->id);
}

static int64_t key(const struct ui *ui, int i, int column)
{
    const struct snap_task *t = at(ui, i);
    switch (column) {
    case COL_AGE: return t->age_ns;
    case COL_RAN: return t->busy_ns;
    case COL_STEPS: return t->steps;
    default: // what is wrong first, then the oldest
        return (t->flags ? -(1LL << 61) : 0) - (t->age_ns == SNAP_UNKNOWN ? 0 : t->age_ns / 8);
    }
}

static const char *flags_text(unsigned flags, char *buf, size_t size)
{
    static const char *const names[] = {
        "ORPHAN",   "STUCK",     "TIMED-OUT", "ERROR",    "CANCEL", "NOT-STARTED", "NOT-AWAITED",
        "detached", "SELF-WAKE", "CYCLE",     "unstable", "UNHELD", "NO-WAKER"};
    buf[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t used = strlen(buf);
        if (flags & 1u << i)
            snprintf(buf + used, size - used, "%s%s", used ? " " : "", names[i]);
    }
    return buf;
}

static const char *awaits_text(const struct snap_task *t, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s%s", t->waits_on ? t->waits_on : "",
             t->waits_on && t->await_site ? "  " : "",
             t->await_site ? t->await_site
             : t->waits_on ? ""
                           : "-");
    return buf;
}

// In a column: the line first, without its folder, then what for. Both are whole in the detail.
static const char *awaits_short(const struct snap_task *t, char *buf, size_t size)
{
    snprintf(buf, size, "%s%s%s",
             t->await_site ? text_base(t->await_site)
             : t->waits_on ? ""
                           : "-",
             t->waits_on && t->await_site ? "  " : "", t->waits_on ? t->waits_on : "");
    return buf;
}

static const char *text(const struct ui *ui, int i, int column, char *buf, size_t size)
{
    const struct snap_task *t = at(ui, i);
    switch (column) {
    case COL_STATE: return task_state_name(t->state);
    case COL_AWAITS: return awaits_short(t, buf, size);
    case COL_FLAGS: return flags_text(t->flags, buf, size);
    case COL_ID: snprintf(buf, size, "#%s", t->id ? t->id : "-"); return buf;
    default: snprintf(buf, size, "%s", t->name ? t->name : "(no name)"); return buf;
    }
}

#define FLAGS_WRONG                                                                                \
    (TASKF_ORPHANED | TASKF_STUCK | TASKF_TIMED_OUT | TASKF_ERROR_UNREAD | TASKF_NEVER_STARTED |   \
     TASKF_NEVER_AWAITED | TASKF_CYCLE | TASKF_NO_WAKER)

static void cell(const struct ui *ui, int i, int column, struct cell_text *out)
{
    const struct snap_task *t = at(ui, i);
    bool wrong = t->flags & FLAGS_WRONG;
    struct fmt f = {0};
    switch (column) {
    case COL_MARK:
        out->style = STYLE_WARNING;
        f.s[0] = wrong ? '!' : '\0';
        break;
    case COL_AGE: f = fmt_ns(t->age_ns); break;
    case COL_RAN: f = fmt_ns(t->busy_ns); break;
    case COL_STEPS: f = fmt_count(t->steps); break;
    default:
        out->style = column == COL_FLAGS && wrong ? STYLE_WARNING
                     : t->state == TASK_FAILED    ? STYLE_WARNING
                     : t->state >= TASK_DONE      ? STYLE_DIM
                                                  : STYLE_TEXT;
        char buf[256];
        snprintf(out->text, sizeof(out->text), "%s", text(ui, i, column, buf, sizeof(buf)));
        return;
    }
    snprintf(out->text, sizeof(out->text), "%s", f.s);
}

struct link {
    uint64_t id;
    int row;
};

struct forest { // indices are rows of the flat order; -1: none
    const struct ui *ui;
    struct entry *flat;
    int *first, *last, *next;
    bool *placed;
    struct entry *out;
    int n;
};

static int compare_links(const void *a, const void *b)
{
    const struct link *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool is_folded(const struct ui *ui, uint64_t task)
{
    for (int i = 0; i < ui->nfolded; i++)
        if (ui->folded[i] == task)
            return true;
    return false;
}

static void place(struct forest *f, int row, int depth, bool last, bool shown)
{
    if (f->placed[row])
        return;
    f->placed[row] = true;
    bool parent = f->first[row] >= 0;
    bool folded = parent && is_folded(f->ui, id(f->ui, f->flat[row].index));
    if (shown)
        f->out[f->n++] = (struct entry){.index = f->flat[row].index,
                                        .depth = (short)depth,
                                        .last = last,
                                        .fold = folded   ? '+'
                                                : parent ? '-'
                                                         : 0};
    for (int c = f->first[row]; c >= 0 && depth < DEPTH_MAX; c = f->next[c])
        place(f, c, depth + 1, f->next[c] < 0, shown && !folded);
}

// Children in the order of the rows. A task that is its own ancestor stays a root.
static void link_rows(struct forest *f, int n, bool *is_child)
{
    struct link *links = calloc((size_t)n, sizeof(*links));
    if (!links)
        abort();
    for (int i = 0; i < n; i++) {
        links[i] = (struct link){id(f->ui, f->flat[i].index), i};
        f->first[i] = f->last[i] = f->next[i] = -1;
    }
    qsort(links, (size_t)n, sizeof(*links), compare_links);
    for (int i = 0; i < n; i++) {
        const struct snap_task *t = at(f->ui, f->flat[i].index);
        struct link wanted = {t->parent ? task_id(t->pid, t->parent) : 0, 0};
        struct link *p =
            t->parent ? bsearch(&wanted, links, (size_t)n, sizeof(*links), compare_links) : NULL;
        if (!p || p->row == i)
            continue;
        is_child[i] = true;
        if (f->first[p->row] < 0)
            f->first[p->row] = i;
        else
            f->next[f->last[p->row]] = i;
        f->last[p->row] = i;
    }
    free(links);
}

static void arrange(const struct ui *ui, struct table_state *t)
{
    int n = t->n;
    if (n == 0)
        return;
    int *ints = malloc(sizeof(int) * 3 * (size_t)(n + 1));
    bool *bools = calloc(2 * (size_t)(n + 1), sizeof(bool));
    if (!ints || !bools)
        abort();
    struct forest f = {.ui = ui,
                       .flat = t->order,
                       .first = ints,
                       .last = ints + n,
                       .next = ints + 2 * n,
                       .placed = bools,
                       .out = t->spare};
    link_rows(&f, n, bools + n);
    for (int i = 0; i < n; i++)
        if (!bools[n + i])
            place(&f, i, 0, false, true);
    for (int i = 0; i < n; i++) // members of cycles have no root
        place(&f, i, 0, false, true);
    memcpy(t->order, f.out, sizeof(*t->order) * (size_t)f.n);
    t->n = f.n;
    free(bools);
    free(ints);
}

void task_lines(const struct ui *ui, int index, int width, struct lines *out)
{
    const struct snap_task *t = at(ui, index);
    char buf[300];
    lines_add(out, STYLE_SCOPE, "#%s %s  %s for %s", t->id ? t->id : "-",
              t->name ? t->name : "(no name)", task_state_name(t->state), fmt_ns(t->age_ns).s);
    snprintf(buf, sizeof(buf), "%s%s%s", t->spawn_site ? t->spawn_site : "-",
             t->parent ? " by #" : "", t->parent ? t->parent : "");
    lines_wrap(out, STYLE_TEXT, "SPAWNED", 11, width, buf);
    lines_wrap(out, STYLE_TEXT, "AWAITS", 11, width, awaits_text(t, buf, sizeof(buf)));
    if (t->busy_ns != SNAP_UNKNOWN || t->steps != SNAP_UNKNOWN)
        lines_add(out, STYLE_TEXT, "ran %s in %s step%s, last ran %s ago", fmt_ns(t->busy_ns).s,
                  fmt_count(t->steps).s, t->steps == 1 ? "" : "s", fmt_ns(t->wait_ns).s);
    if (t->flags)
        lines_wrap(out, STYLE_WARNING, "FLAGS", 11, width, flags_text(t->flags, buf, sizeof(buf)));
    if (t->error)
        lines_wrap(out, STYLE_WARNING, "ERROR", 11, width, t->error);
    if (t->chain) {
        lines_add(out, STYLE_STRONG, "AWAIT CHAIN, innermost first");
        describe_frames(t->chain, false, out);
    }
}

const struct table table_tasks = {
    .name = "tasks",
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

const struct table table_tree = {
    .name = "task-tree",
    .columns = columns,
    .ncolumns = sizeof(columns) / sizeof(*columns),
    .count = count,
    .include = include,
    .id = id,
    .key = key,
    .text = text,
    .cell = cell,
    .arrange = arrange,
    .empty = message_tasks,
};
