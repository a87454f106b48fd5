#include "replay.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "codec.h"
#include "lookup.h"
#include "order.h"
#include "store.h"

#define MAX_ELEMENTS 100000 // in one array; more is no snapshot of ours

struct cursor { // rows of one table, in the order of snapshots
    const struct table *table;
    sqlite3_stmt *stmt;
    bool row; // stands on one
};

struct replay {
    sqlite3 *db;
    char *path;
    struct lookup *lookup;
    struct cursor cursors[STORE_TABLES];
    int ncursors;
    sqlite3_stmt *snapshots, *order;
    struct snap *before;
    int64_t length_ns, skip_until; // snap number: those before it are only steps on the way
};

static int corrupt(struct replay *r, struct error *err)
{
    return error_set(err, STATUS_NO_ATTACH, EBADMSG, "%.300s: the recording is damaged", r->path);
}

static int foreign(const char *path, struct error *err)
{
    return error_set(err, STATUS_NO_ATTACH, EBADMSG, "%.300s is not a loopscope recording", path);
}

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

// Before SQLite sees it: is it ours, and as long as it says?
static int look_at_head(const char *path, struct error *err)
{
    unsigned char head[100];
    struct stat st;
    FILE *f = fopen(path, "re");
    if (!f)
        return error_set(err, STATUS_NO_ATTACH, errno, "%.300s: %s", path, strerror(errno));
    size_t n = fread(head, 1, sizeof(head), f);
    int rc = fstat(fileno(f), &st);
    fclose(f);
    if (rc < 0 || n < sizeof(head) || memcmp(head, "SQLite format 3", 16) != 0)
        return foreign(path, err);
    if (big_endian(head + 68) != APPLICATION_ID)
        return foreign(path, err);
    if (big_endian(head + 60) > FORMAT_VERSION)
        return error_set(err, STATUS_NO_ATTACH, ENOTSUP,
                         "%.300s was written by a newer loopscope (format %u, this one reads %d)",
                         path, big_endian(head + 60), FORMAT_VERSION);
    uint32_t page = (uint32_t)head[16] << 8 | head[17];
    page = page == 1 ? 65536 : page;
    if ((uint64_t)st.st_size < (uint64_t)page * big_endian(head + 28))
        return error_set(err, STATUS_NO_ATTACH, EBADMSG, "%.300s is cut short: %lld of %lld bytes",
                         path, (long long)st.st_size,
                         (long long)page * (long long)big_endian(head + 28));
    return 0;
}

static void append_escaped(char *uri, size_t size, const char *path)
{
    size_t n = strlen(uri);
    for (; *path && n + 4 < size; path++) {
        if (strchr("?#%", *path))
            n += (size_t)snprintf(uri + n, size - n, "%%%02x", (unsigned char)*path);
        else
            uri[n++] = *path;
        uri[n] = '\0';
    }
}

static int open_uri(struct replay *r, const char *flags)
{
    char uri[4400] = "file:";
    append_escaped(uri, sizeof(uri) - 40, r->path);
    strcat(uri, flags);
    sqlite3_close(r->db);
    r->db = NULL;
    int rc = sqlite3_open_v2(uri, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(r->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_exec(r->db, "PRAGMA cell_size_check=1", NULL, NULL, NULL);
        rc = sqlite3_exec(r->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    }
    return rc;
}

// With a log beside it somebody may be writing, or was killed: then its last second counts too. A file
// alone is read as it is, so that neither a read-only folder nor its journal mode matters.
static int open_db(struct replay *r, struct error *err)
{
    char log[4200];
    struct stat st;
    snprintf(log, sizeof(log), "%s-wal", r->path);
    bool has_log = stat(log, &st) == 0;
    int rc = has_log ? open_uri(r, "?mode=ro") : SQLITE_CANTOPEN;
    if (rc != SQLITE_OK)
        rc = open_uri(r, "?mode=ro&immutable=1");
    return rc == SQLITE_OK ? 0 : corrupt(r, err);
}

static bool is_sound(struct replay *r)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = false;
    if (sqlite3_prepare_v2(r->db, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        ok = text && !strcmp(text, "ok");
    }
    sqlite3_finalize(stmt);
    return ok;
}

static sqlite3_stmt *prepare(struct replay *r, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    return stmt;
}

static int64_t query_int(struct replay *r, const char *sql, int64_t arg, int64_t otherwise)
{
    sqlite3_stmt *stmt = prepare(r, sql);
    if (!stmt)
        return otherwise;
    sqlite3_bind_int64(stmt, 1, arg);
    if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_INTEGER)
        otherwise = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return otherwise;
}

static int prepare_all(struct replay *r, struct error *err)
{
    const struct table *all[STORE_TABLES];
    r->ncursors = store_all_tables(all);
    for (int i = 0; i < r->ncursors; i++) {
        r->cursors[i].table = all[i];
        r->cursors[i].stmt = store_select(r->db, all[i]);
        if (!r->cursors[i].stmt)
            return corrupt(r, err);
    }
    char sql[512];
    size_t at = (size_t)snprintf(sql, sizeof(sql), "SELECT snap,version,now_ns,is_key");
    for (int i = 0; record_tables[i]; i++)
        if (!record_tables[i]->embedded)
            at += (size_t)snprintf(sql + at, sizeof(sql) - at, ",n_%s", record_tables[i]->name);
    snprintf(sql + at, sizeof(sql) - at, " FROM snapshots WHERE snap>=? ORDER BY snap");
    r->snapshots = prepare(r, sql);
    r->order = prepare(r, "SELECT runs FROM orders WHERE snap=? AND tbl=? AND parent=?");
    r->lookup = lookup_new(r->db);
    return r->snapshots && r->order && r->lookup ? 0 : corrupt(r, err);
}

static int begin_at(struct replay *r, int64_t snap)
{
    snap_unref(r->before);
    r->before = NULL;
    sqlite3_reset(r->snapshots);
    sqlite3_bind_int64(r->snapshots, 1, snap);
    for (int i = 0; i < r->ncursors; i++) {
        struct cursor *c = &r->cursors[i];
        sqlite3_reset(c->stmt);
        sqlite3_bind_int64(c->stmt, 1, snap);
        int rc = sqlite3_step(c->stmt);
        c->row = rc == SQLITE_ROW;
        if (!c->row && rc != SQLITE_DONE)
            return -EBADMSG;
    }
    return 0;
}

int replay_open(struct replay **ret, const char *path, struct error *err)
{
    int rc = look_at_head(path, err);
    if (rc < 0)
        return rc;
    struct replay *r = calloc(1, sizeof(*r));
    if (!r || !(r->path = strdup(path)))
        abort();
    rc = open_db(r, err);
    if (rc == 0 && !is_sound(r))
        rc = corrupt(r, err);
    if (rc == 0)
        rc = prepare_all(r, err);
    if (rc == 0) {
        r->length_ns = query_int(r, "SELECT max(now_ns) FROM snapshots WHERE snap>=?", 0, 0);
        rc = begin_at(
            r, query_int(r, "SELECT min(snap) FROM snapshots WHERE is_key AND snap>=?", 0, 0));
        if (rc < 0)
            corrupt(r, err);
    }
    if (rc < 0) {
        replay_close(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void replay_close(struct replay *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->ncursors; i++)
        sqlite3_finalize(r->cursors[i].stmt);
    sqlite3_finalize(r->snapshots);
    sqlite3_finalize(r->order);
    lookup_free(r->lookup);
    snap_unref(r->before);
    sqlite3_close(r->db);
    free(r->path);
    free(r);
}

int64_t replay_length_ns(const struct replay *r)
{
    return r->length_ns;
}

static int64_t known(sqlite3_stmt *s, int i)
{
    return sqlite3_column_type(s, i) == SQLITE_NULL ? SNAP_UNKNOWN : sqlite3_column_int64(s, i);
}

static int read_packed(sqlite3_stmt *s, int i, const struct column *c, char *at, const char *was)
{
    const uint8_t *blob = sqlite3_column_blob(s, i);
    size_t n = (size_t)sqlite3_column_bytes(s, i);
    if (n > 0 && !blob)
        return -EBADMSG;
    if (n == 0 && c->type == COL_SPARK) {
        for (int k = 0; k < LOOP_SPARK; k++)
            ((int64_t *)at)[k] = SNAP_UNKNOWN;
        return 0;
    }
    if (c->type == COL_SPARK)
        return spark_unpack((int64_t *)at, (const int64_t *)was, blob, n);
    return hist_unpack((uint32_t *)at, (const uint32_t *)was, blob, n);
}

static int read_column(struct replay *r, struct snap *into, sqlite3_stmt *s, int i,
                       const struct column *c, char *row, const char *before)
{
    char *at = row + c->offset;
    bool null = sqlite3_column_type(s, i) == SQLITE_NULL;
    switch (c->type) {
    case COL_INT: *(int *)at = sqlite3_column_int(s, i); return 0;
    case COL_U32: *(uint32_t *)at = (uint32_t)sqlite3_column_int64(s, i); return 0;
    case COL_I64: *(int64_t *)at = known(s, i); return 0;
    case COL_U64: *(int64_t *)at = sqlite3_column_int64(s, i); return 0;
    case COL_BOOL: *(bool *)at = sqlite3_column_int(s, i) != 0; return 0;
    case COL_REAL: *(double *)at = null ? NAN : sqlite3_column_double(s, i); return 0;
    case COL_TEXT:
        *(const char **)at = null ? NULL : lookup_text(r->lookup, into, sqlite3_column_int64(s, i));
        return null || *(const char **)at ? 0 : -EBADMSG;
    case COL_PROSE:
        *(const char **)at = snap_strdup(into, (const char *)sqlite3_column_text(s, i));
        return 0;
    case COL_STACK:
        *(struct stack **)at =
            null ? NULL : lookup_stack(r->lookup, into, sqlite3_column_int64(s, i));
        return null || *(struct stack **)at ? 0 : -EBADMSG;
    case COL_SPARK:
    case COL_HIST: return read_packed(s, i, c, at, before ? before + c->offset : NULL);
    }
    return -EBADMSG;
}

static struct cursor *cursor_of(struct replay *r, const struct table *t)
{
    return &r->cursors[store_table_index(t)];
}

static int advance(struct cursor *c)
{
    int rc = sqlite3_step(c->stmt);
    c->row = rc == SQLITE_ROW;
    return c->row || rc == SQLITE_DONE ? 0 : -EBADMSG;
}

static bool stands_on(const struct cursor *c, int64_t snap, int parent)
{
    return c->row && sqlite3_column_int64(c->stmt, 0) == snap &&
           sqlite3_column_int64(c->stmt, 1) == parent;
}

static int read_list(struct replay *r, struct snap *into, int64_t snap, const struct table *t,
                     int parent, void *now, const void *before);

// An element that has no row is as it was; its children may still have changed.
static int read_element(struct replay *r, struct snap *into, int64_t snap, const struct table *t,
                        struct cursor *c, int parent, int pos, char *row, const char *was)
{
    int first = 3; // after snap, parent, pos
    if (stands_on(c, snap, parent) && sqlite3_column_int64(c->stmt, 2) == pos) {
        for (int i = 0; i < t->ncolumns; i++)
            if (read_column(r, into, c->stmt, first + i, &t->columns[i], row, was) < 0)
                return -EBADMSG;
        if (advance(c) < 0)
            return -EBADMSG;
    } else if (was) {
        row_copy_flat(t, into, row, was);
    } else {
        return -EBADMSG;
    }
    for (int k = 0; k < t->nchildren; k++)
        if (read_list(r, into, snap, t->children[k], pos, row, was) < 0)
            return -EBADMSG;
    return 0;
}

// How the elements of a list stood before.
static int read_order(struct replay *r, const struct table *t, int parent, int n, int nbefore,
                      int *from)
{
    order_plain(n, nbefore, from);
    if (!t->key || nbefore == 0)
        return 0;
    int rc = 0;
    sqlite3_bind_int(r->order, 2, t->id);
    sqlite3_bind_int(r->order, 3, parent);
    if (sqlite3_step(r->order) == SQLITE_ROW)
        rc = order_unpack(from, n, nbefore, sqlite3_column_blob(r->order, 0),
                          (size_t)sqlite3_column_bytes(r->order, 0));
    sqlite3_reset(r->order);
    return rc;
}

static int read_list(struct replay *r, struct snap *into, int64_t snap, const struct table *t,
                     int parent, void *now, const void *before)
{
    struct cursor *c = cursor_of(r, t);
    int n = table_count(t, now), nbefore = before ? table_count(t, before) : 0;
    if (n < 0 || n > MAX_ELEMENTS)
        return -EBADMSG;
    char *rows = t->embedded ? table_list(t, now) : snap_alloc(into, t->size * (size_t)(n + 1));
    const char *old = before ? table_list(t, before) : NULL;
    int *from = snap_alloc(into, sizeof(*from) * (size_t)(n + 1));
    if (!t->embedded)
        *(char **)((char *)now + t->list) = rows;
    int rc = read_order(r, t, parent, n, nbefore, from);
    for (int pos = 0; pos < n && rc == 0; pos++)
        rc = read_element(r, into, snap, t, c, parent, pos, rows + (size_t)pos * t->size,
                          from[pos] == ORDER_NEW ? NULL : old + (size_t)from[pos] * t->size);
    return rc;
}

static int read_snapshot(struct replay *r, struct snap *s)
{
    int64_t snap = sqlite3_column_int64(r->snapshots, 0);
    bool is_key = sqlite3_column_int(r->snapshots, 3) != 0;
    int column = 4;
    s->recorded = true;
    s->version = (uint64_t)sqlite3_column_int64(r->snapshots, 1);
    s->now_ns = sqlite3_column_int64(r->snapshots, 2);
    sqlite3_bind_int64(r->order, 1, snap);
    for (int i = 0; record_tables[i]; i++)
        if (!record_tables[i]->embedded)
            *(int *)((char *)s + record_tables[i]->count) =
                sqlite3_column_int(r->snapshots, column++);
    for (int i = 0; record_tables[i]; i++)
        if (read_list(r, s, snap, record_tables[i], 0, s, is_key ? NULL : r->before) < 0)
            return -EBADMSG;
    return 0;
}

int replay_next(struct replay *r, struct snap **ret, struct error *err)
{
    for (;;) {
        int rc = sqlite3_step(r->snapshots);
        if (rc == SQLITE_DONE)
            return 0;
        if (rc != SQLITE_ROW)
            return corrupt(r, err);
        struct snap *s = snap_new();
        if (read_snapshot(r, s) < 0) {
            snap_unref(s);
            return corrupt(r, err);
        }
        snap_unref(r->before);
        r->before = s;
        if (sqlite3_column_int64(r->snapshots, 0) < r->skip_until)
            continue;
        *ret = snap_ref(s);
        return 1;
    }
}

int replay_seek(struct replay *r, int64_t at_ns, struct error *err)
{
    int64_t first = query_int(r, "SELECT min(snap) FROM snapshots WHERE is_key AND snap>=?", 0, 0);
    int64_t wanted = query_int(r, "SELECT max(snap) FROM snapshots WHERE now_ns<=?", at_ns, first);
    wanted = wanted < first ? first : wanted;
    int64_t key =
        query_int(r, "SELECT max(snap) FROM snapshots WHERE is_key AND snap<=?", wanted, first);
    r->skip_until = wanted;
    return begin_at(r, key) < 0 ? corrupt(r, err) : 0;
}
