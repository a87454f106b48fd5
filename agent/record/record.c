// The recorder: what changed since the snapshot before goes into the file, committed each second.
//
// At rest it is one file. While it is written there is a log beside it (FILE-wal): each commit is copied
// from there into FILE at once and the log emptied, so that FILE alone, copied after kill -9, lacks at
// most the last second. Nothing is synced to the disk: a power cut may cost the recording, but the
// agent never waits for a disk while a loop is blocked.
#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec.h"
#include "order.h"
#include "prune.h"
#include "redact.h"
#include "store.h"

#define SECOND       1000000000LL
#define KEY_INTERVAL (600 * SECOND) // a ring needs them closer

struct recorder {
    sqlite3 *db;
    char *path;
    struct once *once;
    sqlite3_stmt *insert[STORE_TABLES], *insert_snapshot, *insert_order;
    struct snap *before; // what the file holds
    int64_t snap;        // number of the last written
    int64_t committed_ns, key_ns, key_interval_ns, ring_ns, max_bytes;
    bool redact, in_transaction;
};

static int fail(struct recorder *r, struct error *err, const char *what)
{
    return store_error(err, r->db, r->path, what);
}

// A file that is there may be replaced when it is a recording or empty, nothing else.
static int may_replace(const char *path, struct error *err)
{
    struct stat st;
    unsigned char head[72] = {0};
    if (stat(path, &st) < 0)
        return 0;
    if (!S_ISREG(st.st_mode))
        return error_set(err, STATUS_USAGE, EINVAL, "%.300s is not a regular file", path);
    FILE *f = st.st_size ? fopen(path, "re") : NULL;
    size_t n = f ? fread(head, 1, sizeof(head), f) : 0;
    if (f)
        fclose(f);
    bool recording =
        n == sizeof(head) && !memcmp(head, "SQLite format 3", 16) && !memcmp(head + 68, "LSR1", 4);
    if (st.st_size == 0 || recording)
        return 0;
    error_set(err, STATUS_USAGE, EEXIST, "%.300s exists and is not a recording", path);
    error_hint(err, "choose another name, or remove it first");
    return -EEXIST;
}

static void remove_old(const char *path)
{
    char beside[4200];
    unlink(path);
    snprintf(beside, sizeof(beside), "%s-wal", path);
    unlink(beside);
    snprintf(beside, sizeof(beside), "%s-shm", path);
    unlink(beside);
}

static int set_meta(struct recorder *r, const char *key, const char *value)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(r->db, "INSERT INTO meta VALUES(?,?)", -1, &stmt, NULL) != SQLITE_OK)
        return -1;
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, value, -1, SQLITE_STATIC);
    int rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? 0 : -1;
}

static int create(struct recorder *r, struct error *err)
{
    char pragma[200];
    if (sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL))
        return fail(r, err, "cannot be created");
    snprintf(pragma, sizeof(pragma),
             "PRAGMA page_size=4096;PRAGMA auto_vacuum=INCREMENTAL;PRAGMA application_id=%d;"
             "PRAGMA user_version=%d;PRAGMA journal_mode=WAL;PRAGMA synchronous=OFF;"
             "PRAGMA wal_autocheckpoint=0;",
             APPLICATION_ID, FORMAT_VERSION);
    if (store_exec(r->db, pragma) || store_exec(r->db, "BEGIN") || store_create(r->db))
        return fail(r, err, "cannot be created");
    if (set_meta(r, "format", "1") || set_meta(r, "written_by", "loopscope " LOOPSCOPE_VERSION) ||
        set_meta(r, "redacted", r->redact ? "1" : "0"))
        return fail(r, err, "cannot be written");
    if (store_exec(r->db, "COMMIT;PRAGMA wal_checkpoint(TRUNCATE)"))
        return fail(r, err, "cannot be written");
    return 0;
}

static int prepare_all(struct recorder *r, struct error *err)
{
    const struct table *all[STORE_TABLES];
    int n = store_all_tables(all);
    for (int i = 0; i < n; i++)
        if (!(r->insert[i] = store_insert(r->db, all[i])))
            return fail(r, err, "cannot be written");
    char sql[256];
    size_t at = (size_t)snprintf(sql, sizeof(sql), "INSERT INTO snapshots VALUES(?,?,?,?");
    for (int i = 0; record_tables[i]; i++)
        if (!record_tables[i]->embedded)
            at += (size_t)snprintf(sql + at, sizeof(sql) - at, ",?");
    snprintf(sql + at, sizeof(sql) - at, ")");
    if (sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &r->insert_snapshot, NULL))
        return fail(r, err, "cannot be written");
    if (sqlite3_prepare_v3(r->db, "INSERT INTO orders VALUES(?,?,?,?)", -1,
                           SQLITE_PREPARE_PERSISTENT, &r->insert_order, NULL))
        return fail(r, err, "cannot be written");
    r->once = once_new(r->db);
    return 0;
}

static void recorder_free(struct recorder *r)
{
    for (int i = 0; i < STORE_TABLES; i++)
        sqlite3_finalize(r->insert[i]);
    sqlite3_finalize(r->insert_snapshot);
    sqlite3_finalize(r->insert_order);
    once_free(r->once);
    snap_unref(r->before);
    sqlite3_close(r->db);
    free(r->path);
    free(r);
}

int record_open(struct recorder **ret, const char *path, const struct opts *opts, struct error *err)
{
    int rc = may_replace(path, err);
    if (rc < 0)
        return rc;
    struct recorder *r = calloc(1, sizeof(*r));
    if (!r || !(r->path = strdup(path)))
        abort();
    remove_old(path);
    r->ring_ns = opts->ring_ns;
    r->max_bytes = opts->max_bytes;
    r->key_interval_ns = r->ring_ns ? r->ring_ns / 10 + SECOND : KEY_INTERVAL;
    if (r->max_bytes && r->key_interval_ns > 30 * SECOND)
        r->key_interval_ns = 30 * SECOND;
    r->redact = opts->redact;
    rc = create(r, err);
    if (rc == 0)
        rc = prepare_all(r, err);
    if (rc < 0) {
        recorder_free(r);
        return rc;
    }
    *ret = r;
    return 0;
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
    sqlite3_bind_int64(s, i, id);
    return id < 0 ? -1 : 0;
}

static int bind_column(struct recorder *r, sqlite3_stmt *s, int i, const struct column *c,
                       const char *row, const char *before)
{
    const char *at = row + c->offset;
    const char *was = before ? before + c->offset : NULL;
    uint8_t packed[CODEC_MAX];
    switch (c->type) {
    case COL_INT: sqlite3_bind_int64(s, i, *(const int *)at); break;
    case COL_U32: sqlite3_bind_int64(s, i, *(const uint32_t *)at); break;
    case COL_I64: bind_known(s, i, *(const int64_t *)at); break;
    case COL_U64: sqlite3_bind_int64(s, i, *(const int64_t *)at); break;
    case COL_BOOL: sqlite3_bind_int(s, i, *(const bool *)at); break;
    case COL_REAL: sqlite3_bind_double(s, i, *(const double *)at); break; // NAN becomes NULL
    case COL_TEXT: {
        const char *text = *(const char *const *)at;
        if (text)
            return bind_id(s, i, once_text(r->once, text));
        sqlite3_bind_null(s, i);
        break;
    }
    case COL_PROSE: sqlite3_bind_text(s, i, *(const char *const *)at, -1, SQLITE_STATIC); break;
    case COL_STACK: {
        const struct stack *st = *(struct stack *const *)at;
        if (st)
            return bind_id(s, i, once_stack(r->once, st, r->redact));
        sqlite3_bind_null(s, i);
        break;
    }
    case COL_SPARK: {
        size_t n = spark_pack((const int64_t *)at, (const int64_t *)was, packed);
        sqlite3_bind_blob(s, i, packed, (int)n, SQLITE_TRANSIENT);
        break;
    }
    case COL_HIST: {
        size_t n = hist_pack((const uint32_t *)at, (const uint32_t *)was, packed);
        sqlite3_bind_blob(s, i, packed, (int)n, SQLITE_TRANSIENT);
        break;
    }
    }
    return 0;
}

static int write_row(struct recorder *r, const struct table *t, int parent, int pos,
                     const char *row, const char *before)
{
    sqlite3_stmt *s = r->insert[store_table_index(t)];
    int i = 1;
    sqlite3_bind_int64(s, i++, r->snap);
    sqlite3_bind_int(s, i++, parent);
    sqlite3_bind_int(s, i++, pos);
    for (int k = 0; k < t->ncolumns; k++)
        if (bind_column(r, s, i++, &t->columns[k], row, before) < 0)
            return -1;
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? 0 : -1;
}

static int write_order(struct recorder *r, const struct table *t, int parent, const int *from,
                       int n)
{
    sqlite3_stmt *s = r->insert_order;
    uint8_t *runs = malloc(20 * (size_t)n + 1);
    if (!runs)
        abort();
    size_t size = order_pack(from, n, runs);
    sqlite3_bind_int64(s, 1, r->snap);
    sqlite3_bind_int(s, 2, t->id);
    sqlite3_bind_int(s, 3, parent);
    sqlite3_bind_blob(s, 4, runs, (int)size, free);
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? 0 : -1;
}

static int write_list(struct recorder *r, const struct table *t, int parent, const void *now,
                      const void *before);

static int write_element(struct recorder *r, const struct table *t, int parent, int pos,
                         const char *row, const char *was)
{
    if (!was || !row_equal(t, row, was))
        if (write_row(r, t, parent, pos, row, was) < 0)
            return -1;
    for (int i = 0; i < t->nchildren; i++)
        if (write_list(r, t->children[i], pos, row, was) < 0)
            return -1;
    return 0;
}

static int write_list(struct recorder *r, const struct table *t, int parent, const void *now,
                      const void *before)
{
    int n = table_count(t, now), nbefore = before ? table_count(t, before) : 0;
    const char *rows = table_list(t, now), *old = before ? table_list(t, before) : NULL;
    int *from = calloc((size_t)n + 1, sizeof(*from)), rc = 0;
    if (!from)
        abort();
    if (order_match(t, rows, n, old, nbefore, from))
        rc = write_order(r, t, parent, from, n);
    for (int pos = 0; pos < n && rc == 0; pos++)
        rc = write_element(r, t, parent, pos, rows + (size_t)pos * t->size,
                           from[pos] == ORDER_NEW ? NULL : old + (size_t)from[pos] * t->size);
    free(from);
    return rc;
}

static int write_snapshot(struct recorder *r, const struct snap *s, const struct snap *before)
{
    int i = 1;
    r->snap++;
    sqlite3_bind_int64(r->insert_snapshot, i++, r->snap);
    sqlite3_bind_int64(r->insert_snapshot, i++, (int64_t)s->version);
    sqlite3_bind_int64(r->insert_snapshot, i++, s->now_ns);
    sqlite3_bind_int(r->insert_snapshot, i++, before == NULL);
    for (int k = 0; record_tables[k]; k++)
        if (!record_tables[k]->embedded)
            sqlite3_bind_int(r->insert_snapshot, i++, table_count(record_tables[k], s));
    int rc = sqlite3_step(r->insert_snapshot);
    sqlite3_reset(r->insert_snapshot);
    if (rc != SQLITE_DONE)
        return -1;
    for (int k = 0; record_tables[k]; k++)
        if (write_list(r, record_tables[k], 0, s, before) < 0)
            return -1;
    return 0;
}

static int prune(struct recorder *r, int64_t now_ns)
{
    int rc = r->ring_ns ? prune_older(r->db, now_ns - r->ring_ns) : SQLITE_OK;
    if (rc == SQLITE_OK && r->max_bytes)
        rc = prune_larger(r->db, r->max_bytes);
    return rc;
}

static int commit(struct recorder *r, struct error *err)
{
    if (!r->in_transaction)
        return 0;
    r->in_transaction = false;
    if (store_exec(r->db, "COMMIT"))
        return fail(r, err, "cannot be written");
    // A reader may hold the log for a moment: then the next checkpoint carries this one's pages too.
    sqlite3_wal_checkpoint_v2(r->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return 0;
}

int record_write(struct recorder *r, const struct snap *s, struct error *err)
{
    struct snap *now = r->redact ? snap_redact(s) : snap_ref((struct snap *)s);
    bool key = !r->before || s->now_ns - r->key_ns >= r->key_interval_ns;
    int rc = 0;
    if (!r->in_transaction && store_exec(r->db, "BEGIN"))
        rc = fail(r, err, "cannot be written");
    r->in_transaction = rc == 0;
    if (rc == 0 && write_snapshot(r, now, key ? NULL : r->before) < 0)
        rc = fail(r, err, "cannot be written");
    if (key) {
        r->key_ns = s->now_ns;
        if (rc == 0 && prune(r, s->now_ns) != SQLITE_OK)
            rc = fail(r, err, "cannot be shortened");
    }
    snap_unref(r->before);
    r->before = now;
    if (rc == 0 && s->now_ns - r->committed_ns >= SECOND * 9 / 10) {
        r->committed_ns = s->now_ns;
        rc = commit(r, err);
    }
    return rc;
}

int record_close(struct recorder *r, struct error *err)
{
    if (!r)
        return 0;
    int rc = commit(r, err);
    // At rest a plain file: no log beside it, readable from a read-only folder.
    if (store_exec(r->db, "PRAGMA journal_mode=DELETE") && rc == 0)
        rc = fail(r, err, "cannot be closed");
    recorder_free(r);
    return rc;
}
