#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rows {
    sqlite3_stmt *insert[STORE_TABLES], *insert_stall;
};

struct writing {
    struct rows *rows;
    struct once *once;
    int64_t number;
};

struct rows *rows_new(sqlite3 *db)
{
    struct rows *r = calloc(1, sizeof(*r));
    const struct table *all[STORE_TABLES];
    int n = store_all_tables(all);
    if (!r)
        abort();
    for (int i = 0; i < n; i++)
        if (!(r->insert[i] = store_insert(db, all[i]))) {
            rows_free(r);
            return NULL;
        }
    r->insert_stall = store_insert_stall(db);
    if (r->insert_stall)
        return r;
    rows_free(r);
    return NULL;
}

void rows_free(struct rows *r)
{
    if (r)
        sqlite3_finalize(r->insert_stall);
    for (int i = 0; r && i < STORE_TABLES; i++)
        sqlite3_finalize(r->insert[i]);
    free(r);
}

static int run(sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? 0 : -EIO;
}

static void bind_known(sqlite3_stmt *s, int i, int64_t v)
{
    if (v == SNAP_UNKNOWN)
        sqlite3_bind_null(s, i);
    else
        sqlite3_bind_int64(s, i, v);
}

static int bind_id(sqlite3_stmt *s, int i, int64_t id)
{
    if (id > 0)
        sqlite3_bind_int64(s, i, id);
    else
        sqlite3_bind_null(s, i);
    return id < 0 ? -EIO : 0;
}

static int bind_column(struct writing *w, sqlite3_stmt *s, int i, const struct column *c,
                       const char *at)
{
    switch (c->type) {
    case COL_INT:
    case COL_U32:
    case COL_U64: sqlite3_bind_int64(s, i, column_number(c, at)); break;
    case COL_AGE:
    case COL_MOMENT:
    case COL_I64: bind_known(s, i, *(const int64_t *)at); break;
    case COL_BOOL: sqlite3_bind_int(s, i, *(const bool *)at); break;
    case COL_REAL: sqlite3_bind_double(s, i, *(const double *)at); break; // NAN becomes NULL
    case COL_PROSE: sqlite3_bind_text(s, i, *(const char *const *)at, -1, SQLITE_STATIC); break;
    case COL_TEXT: {
        const char *text = *(const char *const *)at;
        return bind_id(s, i, text ? once_text(w->once, text) : 0);
    }
    case COL_STACK: {
        const struct stack *stack = *(struct stack *const *)at;
        return bind_id(s, i, stack ? once_stack(w->once, stack) : 0);
    }
    case COL_SPARK:
    case COL_HIST: break;
    }
    return 0;
}

static int write_row(struct writing *w, const struct table *t, int parent, int pos, const char *row)
{
    sqlite3_stmt *s = w->rows->insert[store_table_index(t)];
    int i = 1;
    sqlite3_bind_int64(s, i++, w->number);
    sqlite3_bind_int(s, i++, parent);
    sqlite3_bind_int(s, i++, pos);
    for (int k = 0; k < t->ncolumns; k++) {
        const struct column *c = &t->columns[k];
        if (c->type == COL_SPARK || c->type == COL_HIST)
            continue;
        if (bind_column(w, s, i++, c, row + c->offset) < 0)
            return -EIO;
    }
    return run(s);
}

static int write_list(struct writing *w, const struct table *t, int parent, const void *of,
                      bool children)
{
    int n = store_has_rows(t) ? table_count(t, of) : 0, rc = 0;
    for (int pos = 0; pos < n && rc == 0; pos++) {
        const char *row = table_list(t, of) + (size_t)pos * t->size;
        rc = write_row(w, t, parent, pos, row);
        for (int i = 0; i < t->nchildren && rc == 0 && children; i++)
            rc = write_list(w, t->children[i], pos, row, true);
    }
    return rc;
}

static int bind_text(struct writing *w, sqlite3_stmt *s, int i, const char *text)
{
    return bind_id(s, i, text ? once_text(w->once, text) : 0);
}

// Of the looks into a stall the last one: it has seen most of it.
static const struct stack *stack_of(const struct snap_stall *stall)
{
    for (int i = stall->nsamples - 1; i >= 0; i--)
        if (stall->samples[i].stack)
            return stall->samples[i].stack;
    return NULL;
}

static int write_stall(struct writing *w, const struct snap_stall *stall)
{
    sqlite3_stmt *s = w->rows->insert_stall;
    const struct cause *cause = &stall->cause;
    const struct stack *stack = stack_of(stall);
    int rc = 0;
    sqlite3_bind_int64(s, 1, w->number);
    sqlite3_bind_int64(s, 2, (int64_t)stall->id);
    sqlite3_bind_int(s, 3, stall->pid);
    sqlite3_bind_int(s, 4, stall->tid);
    bind_known(s, 5, stall->begin_ns);
    bind_known(s, 6, stall->duration_ns);
    sqlite3_bind_int(s, 7, stall->lower_bound);
    sqlite3_bind_int(s, 8, (int)cause->kind);
    rc |= bind_text(w, s, 9, cause->syscall);
    bind_known(s, 10, cause->fd);
    rc |= bind_text(w, s, 11, cause->path);
    rc |= bind_text(w, s, 12, cause->peer);
    rc |= bind_text(w, s, 13, cause->lock);
    bind_known(s, 14, cause->holder_tid);
    rc |= bind_text(w, s, 15, stall->task.name);
    rc |= bind_id(s, 16, stack ? once_stack(w->once, stack) : 0);
    return rc < 0 ? rc : run(s);
}

static int write_ended(struct writing *w, const struct snap *s)
{
    int rc = 0;
    for (int i = 0; i < s->nstalls && rc == 0; i++)
        if (!s->stalls[i].open)
            rc = write_stall(w, &s->stalls[i]);
    return rc;
}

static bool is_of_minute(const struct table *t)
{
    static const char *const names[] = {"agent", "task_totals", "processes",
                                        "loops", "task_sites",  "fd_sites"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (!strcmp(t->name, names[i]))
            return true;
    return false;
}

int rows_write(struct rows *r, struct once *once, int64_t number, const struct snap *s,
               enum rows_wanted wanted)
{
    struct writing w = {r, once, number};
    int rc = wanted == ROWS_END ? 0 : write_ended(&w, s);
    for (int i = 0; record_tables[i] && rc == 0; i++) {
        const struct table *t = record_tables[i];
        if (wanted >= ROWS_ALL || (wanted == ROWS_MINUTE && is_of_minute(t)))
            rc = write_list(&w, t, 0, s, wanted >= ROWS_ALL);
    }
    return rc;
}
