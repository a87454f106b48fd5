// The recorder: what changed since the snapshot before goes into the file, and each snapshot is committed
// as it comes. Only those that follow another within COMMIT_APART wait for the next one, which whoever
// records asks for (cmd_record.c) well before a second is over.
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

#include "picture.h"
#include "prune.h"
#include "redact.h"
#include "rows.h"
#include "squeeze.h"
#include "trim.h"

#define SECOND       1000000000LL
#define KEY_INTERVAL (600 * SECOND) // a bounded file needs them closer
#define ROW_INTERVAL (60 * SECOND)
#define PAGE         2048
#define SMALL_PAGE   1024          // each table has one at least, and a bounded file is small
#define COMMIT_APART (SECOND / 10) // a burst of news is one commit

struct recorder {
    sqlite3 *db;
    char *path;
    struct once *once;
    struct rows *rows;
    struct squeeze *squeeze;
    sqlite3_stmt *insert;
    struct bytes picture, packed; // of one snapshot, kept for their memory
    struct snap *before;          // what the file holds
    int64_t number;               // of the last written
    int64_t committed_ns, key_ns, rows_ns, key_interval_ns, ring_ns, max_bytes;
    int64_t bytes,
        key_bytes; // of the file: at the last commit, after the first since the key picture
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

// With what lies beside it: another file's log must not be taken for its own.
static void remove_old(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[4300];
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        unlink(name);
    }
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

static int describe(struct recorder *r)
{
    char format[16], layout[16];
    snprintf(format, sizeof(format), "%d", FORMAT_VERSION);
    snprintf(layout, sizeof(layout), "%08x", tables_layout());
    if (set_meta(r, "format", format) || set_meta(r, "layout", layout))
        return -1;
    return set_meta(r, "written_by", "loopscope " LOOPSCOPE_VERSION) ||
           set_meta(r, "redacted", r->redact ? "1" : "0");
}

static int open_db(struct recorder *r, const char *path, const char *pragmas, struct error *err)
{
    int rc = sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (rc == SQLITE_OK)
        rc = store_exec(r->db, pragmas);
    return rc == SQLITE_OK ? 0 : fail(r, err, "cannot be created");
}

static int fill(struct recorder *r, struct error *err)
{
    if (store_exec(r->db, "BEGIN") || store_create(r->db) || describe(r))
        return fail(r, err, "cannot be created");
    return store_exec(r->db, "COMMIT") ? fail(r, err, "cannot be created") : 0;
}

static int make(struct recorder *r, const char *path, struct error *err)
{
    char pragmas[200];
    snprintf(pragmas, sizeof(pragmas),
             "PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF;PRAGMA page_size=%d;"
             "PRAGMA auto_vacuum=INCREMENTAL;PRAGMA application_id=%d;PRAGMA user_version=%d;",
             r->max_bytes || r->ring_ns ? SMALL_PAGE : PAGE, APPLICATION_ID, FORMAT_VERSION);
    int rc = open_db(r, path, pragmas, err);
    if (rc == 0)
        rc = fill(r, err);
    if (rc == 0 &&
        store_exec(r->db, "PRAGMA journal_mode=WAL")) // now: later it would need a journal
        rc = fail(r, err, "cannot be created");
    sqlite3_close(r->db);
    r->db = NULL;
    return rc;
}

// Made beside and moved into place, so that what bears the name opens at any moment.
static int create(struct recorder *r, struct error *err)
{
    char beside[4200];
    snprintf(beside, sizeof(beside), "%s.new", r->path);
    remove_old(beside);
    int rc = make(r, beside, err);
    if (rc == 0) {
        remove_old(r->path);
        if (rename(beside, r->path) < 0)
            rc = error_set(err, STATUS_INTERNAL, errno, "%.300s: cannot be created: %s", r->path,
                           strerror(errno));
    }
    if (rc < 0) {
        remove_old(beside);
        return rc;
    }
    return open_db(r, r->path,
                   "PRAGMA journal_mode=WAL;PRAGMA synchronous=OFF;PRAGMA wal_autocheckpoint=0",
                   err);
}

static int prepare(struct recorder *r, struct error *err)
{
    r->rows = rows_new(r->db);
    r->once = once_new(r->db, r->redact);
    r->squeeze = squeeze_new();
    int rc = sqlite3_prepare_v3(r->db, "INSERT INTO snapshots VALUES(?,?,?,?,?)", -1,
                                SQLITE_PREPARE_PERSISTENT, &r->insert, NULL);
    return r->rows && rc == SQLITE_OK ? 0 : fail(r, err, "cannot be written");
}

static void recorder_free(struct recorder *r)
{
    sqlite3_finalize(r->insert);
    rows_free(r->rows);
    once_free(r->once);
    squeeze_free(r->squeeze);
    bytes_free(&r->picture);
    bytes_free(&r->packed);
    snap_unref(r->before);
    sqlite3_close(r->db);
    free(r->path);
    free(r);
}

static int64_t key_interval(const struct recorder *r)
{
    int64_t interval = r->ring_ns ? r->ring_ns / 10 + SECOND : KEY_INTERVAL;
    return interval < KEY_INTERVAL ? interval : KEY_INTERVAL;
}

int record_open(struct recorder **ret, const char *path, const struct opts *opts, struct error *err)
{
    int rc = may_replace(path, err);
    if (rc < 0)
        return rc;
    struct recorder *r = calloc(1, sizeof(*r));
    if (!r || !(r->path = strdup(path)))
        abort();
    r->ring_ns = opts->ring_ns;
    r->max_bytes = opts->max_bytes;
    r->key_interval_ns = key_interval(r);
    r->redact = opts->redact;
    rc = create(r, err);
    if (rc == 0)
        rc = prepare(r, err);
    if (rc < 0) {
        recorder_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

static int64_t name_text(void *arg, const char *text)
{
    return once_text(arg, text);
}

static int64_t name_stack(void *arg, const struct stack *stack)
{
    return once_stack(arg, stack);
}

static int insert(struct recorder *r, const struct snap *s, bool key, bool has_rows)
{
    sqlite3_bind_int64(r->insert, 1, r->number);
    sqlite3_bind_int64(r->insert, 2, s->now_ns);
    sqlite3_bind_int(r->insert, 3, key);
    sqlite3_bind_int(r->insert, 4, has_rows);
    sqlite3_bind_blob(r->insert, 5, r->packed.at, (int)r->packed.n, SQLITE_STATIC);
    int rc = sqlite3_step(r->insert);
    sqlite3_reset(r->insert);
    return rc == SQLITE_DONE ? 0 : -EIO;
}

static int write_picture(struct recorder *r, const struct snap *s, bool key, bool has_rows)
{
    const struct picture_names names = {name_text, name_stack, r->once};
    r->picture.n = r->packed.n = 0;
    if (key)
        squeeze_restart(r->squeeze);
    if (picture_pack(&r->picture, s, key ? NULL : r->before, &names) < 0)
        return -EIO;
    squeeze_put(r->squeeze, &r->picture, &r->packed);
    return insert(r, s, key, has_rows);
}

static int write_snapshot(struct recorder *r, const struct snap *s, bool key)
{
    bool minute = s->now_ns - r->rows_ns >= ROW_INTERVAL;
    enum rows_wanted wanted = key ? ROWS_ALL : minute ? ROWS_MINUTE : ROWS_STALLS;
    r->number++;
    if (key) {
        once_begin(r->once, r->number);
        r->key_ns = s->now_ns;
        r->key_bytes = 0;
    }
    if (wanted != ROWS_STALLS)
        r->rows_ns = s->now_ns;
    if (write_picture(r, s, key, wanted != ROWS_STALLS) < 0)
        return -EIO;
    return rows_write(r->rows, r->once, r->number, s, wanted);
}

static int prune(struct recorder *r, int64_t now_ns)
{
    int rc = r->ring_ns ? prune_older(r->db, r->once, now_ns - r->ring_ns) : SQLITE_OK;
    if (rc != SQLITE_OK || !r->max_bytes)
        return rc;
    rc = prune_larger(r->db, r->once, r->max_bytes - r->max_bytes / 8);
    r->bytes = prune_bytes(r->db);
    if (r->key_bytes == 0)
        r->key_bytes = r->bytes;
    return rc;
}

static bool is_too_large(const struct recorder *r)
{
    return r->max_bytes && prune_bytes(r->db) > r->max_bytes;
}

static void undo(struct recorder *r)
{
    r->in_transaction = false;
    store_exec(r->db, "ROLLBACK");
}

// The limit is kept: the file stays as it was at the last commit.
static int too_large(struct recorder *r, struct error *err)
{
    long long bytes = prune_bytes(r->db);
    undo(r);
    snap_unref(r->before);
    r->before = NULL; // it is not in the file: there is no end to be written
    error_set(err, STATUS_USAGE, EFBIG,
              "%.300s: one picture of what is watched takes %lld bytes, more than --max-size",
              r->path, bytes);
    error_hint(err, "give it --max-size %lldK or more", bytes * 10 / 1024);
    return -EFBIG;
}

static int commit(struct recorder *r, struct error *err)
{
    if (!r->in_transaction)
        return 0;
    if (prune(r, r->before->now_ns) != SQLITE_OK)
        return fail(r, err, "cannot be shortened");
    if (is_too_large(r))
        return too_large(r, err);
    r->in_transaction = false;
    if (store_exec(r->db, "COMMIT"))
        return fail(r, err, "cannot be written");
    // A reader may hold the log for a moment: then the next checkpoint carries this one's pages too.
    sqlite3_wal_checkpoint_v2(r->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return 0;
}

static int begin(struct recorder *r, struct error *err)
{
    if (!r->in_transaction && store_exec(r->db, "BEGIN"))
        return fail(r, err, "cannot be written");
    r->in_transaction = true;
    return 0;
}

// A file that must stay small is forgotten in stretches, so none of them may be much of it.
static bool key_is_due(const struct recorder *r, const struct snap *s)
{
    return !r->before || s->now_ns - r->key_ns >= r->key_interval_ns ||
           (r->max_bytes && r->key_bytes && r->bytes - r->key_bytes > r->max_bytes / 8);
}

static int add(struct recorder *r, struct snap *now, struct error *err)
{
    int rc = begin(r, err);
    if (rc == 0 && write_snapshot(r, now, key_is_due(r, now)) < 0)
        rc = fail(r, err, "cannot be written");
    snap_unref(r->before);
    r->before = snap_ref(now);
    if (rc < 0 || now->now_ns - r->committed_ns < COMMIT_APART)
        return rc;
    r->committed_ns = now->now_ns;
    return commit(r, err);
}

// As it goes into the file.
static struct snap *prepared(struct recorder *r, struct snap *s)
{
    struct snap *open = r->redact ? snap_redact(s) : snap_ref(s);
    if (!r->max_bytes)
        return open;
    struct snap *cut = snap_trim(open, r->max_bytes / 16);
    snap_unref(open);
    return cut;
}

int record_write(struct recorder *r, const struct snap *s, struct error *err)
{
    struct snap *now = prepared(r, (struct snap *)s);
    int rc = add(r, now, err);
    snap_unref(now);
    return rc;
}

// The rows of the end, so that a query for the newest finds what the last second knew. Where there is no
// room for them, those of the last key picture have to do.
static int write_end(struct recorder *r, struct error *err)
{
    int done = commit(r, err);
    if (done < 0 || !r->before || r->rows_ns == r->before->now_ns)
        return done;
    if (begin(r, err) < 0)
        return -EIO;
    int rc = rows_write(r->rows, r->once, r->number, r->before, ROWS_END);
    if (rc == 0)
        rc = store_exec(r->db, "UPDATE snapshots SET has_rows=1 WHERE snap=(SELECT max(snap) FROM "
                               "snapshots)");
    if (rc == 0 && is_too_large(r))
        undo(r);
    return rc ? fail(r, err, "cannot be written") : 0;
}

int record_close(struct recorder *r, struct error *err)
{
    if (!r)
        return 0;
    int rc = write_end(r, err);
    if (rc == 0)
        rc = commit(r, err);
    // At rest a plain file: no log beside it, readable from a read-only folder.
    if (store_exec(r->db, "PRAGMA journal_mode=OFF") && rc == 0)
        rc = fail(r, err, "cannot be closed");
    recorder_free(r);
    return rc;
}
