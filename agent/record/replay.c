#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lookup.h"
#include "picture.h"
#include "squeeze.h"
#include "store.h"

struct replay {
    sqlite3 *db;
    char *path;
    struct lookup *lookup;
    struct stretch *stretch;
    struct bytes picture; // kept for its memory
    sqlite3_stmt *snapshots;
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

static int other_build(const char *path, struct error *err)
{
    error_set(err, STATUS_NO_ATTACH, ENOTSUP,
              "%.300s was written by another build of loopscope, with other columns", path);
    error_hint(err, "read it with the loopscope that wrote it");
    return -ENOTSUP;
}

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

// A recorder killed while it copied its log into the file leaves the file shorter than it says, and the log whole.
static bool has_log(const char *path)
{
    char log[4200];
    struct stat st;
    snprintf(log, sizeof(log), "%s-wal", path);
    return stat(log, &st) == 0;
}

// Before SQLite sees it: is it ours, and as long as it says?
static int look_at_head(const char *path, struct error *err)
{
    unsigned char head[100];
    struct stat st;
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe without a writer must not hold us
    if (fd < 0)
        return error_set(err, STATUS_NO_ATTACH, errno, "%.300s: %s", path, strerror(errno));
    int rc = fstat(fd, &st);
    ssize_t n = rc == 0 && S_ISREG(st.st_mode) ? read(fd, head, sizeof(head)) : -1;
    close(fd);
    if (n < (ssize_t)sizeof(head) || memcmp(head, "SQLite format 3", 16) != 0)
        return foreign(path, err);
    if (big_endian(head + 68) != APPLICATION_ID)
        return foreign(path, err);
    if (big_endian(head + 60) != FORMAT_VERSION)
        return error_set(err, STATUS_NO_ATTACH, ENOTSUP,
                         "%.300s was written by %s loopscope (format %u, this one reads %d)", path,
                         big_endian(head + 60) > FORMAT_VERSION ? "a newer" : "an older",
                         big_endian(head + 60), FORMAT_VERSION);
    uint32_t page = (uint32_t)head[16] << 8 | head[17];
    page = page == 1 ? 65536 : page;
    if ((uint64_t)st.st_size < (uint64_t)page * big_endian(head + 28) && !has_log(path))
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

static int open_uri(struct replay *r, int access, const char *flags)
{
    char uri[4400] = "file:";
    append_escaped(uri, sizeof(uri) - 40, r->path);
    strcat(uri, flags);
    sqlite3_close(r->db);
    r->db = NULL;
    int rc = sqlite3_open_v2(uri, &r->db, access | SQLITE_OPEN_URI, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_db_config(r->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(r->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, (int)PICTURE_MAX); // of a text or a picture
        sqlite3_exec(r->db, "PRAGMA cell_size_check=1", NULL, NULL, NULL);
        rc = sqlite3_exec(r->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
    }
    return rc;
}

// With a log beside it somebody may be writing, or was killed: then its last second counts too. The index of
// a log that a killed recorder left may have to be made anew, for which SQLite wants to write; neither the
// file nor the log is changed by that. A file alone is read as it is, so that neither a read-only folder
// nor its journal mode matters.
static int open_db(struct replay *r, struct error *err)
{
    bool log = has_log(r->path);
    int rc = log ? open_uri(r, SQLITE_OPEN_READONLY, "?mode=ro") : SQLITE_CANTOPEN;
    if (log && rc != SQLITE_OK)
        rc = open_uri(r, SQLITE_OPEN_READWRITE, "?mode=rw");
    if (rc != SQLITE_OK)
        rc = open_uri(r, SQLITE_OPEN_READONLY, "?mode=ro&immutable=1");
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
    r->snapshots = prepare(r, "SELECT snap,now_ns,is_key,picture FROM snapshots WHERE snap>=? "
                              "ORDER BY snap");
    r->lookup = lookup_new(r->db);
    r->stretch = stretch_new();
    return r->snapshots && r->lookup ? 0 : corrupt(r, err);
}

// Pictures are laid out as the build that wrote them was: no other can read them.
static int check_layout(struct replay *r, struct error *err)
{
    if (!store_is_ours(r->db))
        return other_build(r->path, err);
    sqlite3_stmt *stmt = prepare(r, "SELECT value FROM meta WHERE key='layout'");
    char ours[16];
    int rc = stmt && sqlite3_step(stmt) == SQLITE_ROW ? 0 : corrupt(r, err);
    snprintf(ours, sizeof(ours), "%08x", tables_layout());
    const char *layout = rc == 0 ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    if (rc == 0 && (!layout || strcmp(layout, ours) != 0))
        rc = other_build(r->path, err);
    sqlite3_finalize(stmt);
    return rc;
}

static void begin_at(struct replay *r, int64_t snap)
{
    snap_unref(r->before);
    r->before = NULL;
    sqlite3_reset(r->snapshots);
    sqlite3_bind_int64(r->snapshots, 1, snap);
}

static int64_t first_key(struct replay *r)
{
    return query_int(r, "SELECT min(snap) FROM snapshots WHERE is_key AND snap>=?", 0, 0);
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
    if (rc == 0)
        rc = check_layout(r, err);
    if (rc == 0 && !is_sound(r))
        rc = corrupt(r, err);
    if (rc == 0)
        rc = prepare_all(r, err);
    if (rc < 0) {
        replay_close(r);
        return rc;
    }
    r->length_ns =
        query_int(r, "SELECT now_ns FROM snapshots WHERE snap>=? ORDER BY snap DESC LIMIT 1", 0, 0);
    begin_at(r, first_key(r));
    *ret = r;
    return 0;
}

void replay_close(struct replay *r)
{
    if (!r)
        return;
    sqlite3_finalize(r->snapshots);
    stretch_free(r->stretch);
    bytes_free(&r->picture);
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

static const char *text_of(void *arg, struct snap *into, int64_t id)
{
    return lookup_text(arg, into, id);
}

static struct stack *stack_of(void *arg, struct snap *into, int64_t id)
{
    return lookup_stack(arg, into, id);
}

static int read_snapshot(struct replay *r, struct snap *s)
{
    const struct picture_lookup lookup = {text_of, stack_of, r->lookup};
    bool is_key = sqlite3_column_int(r->snapshots, 2) != 0;
    const uint8_t *blob = sqlite3_column_blob(r->snapshots, 3);
    size_t n = (size_t)sqlite3_column_bytes(r->snapshots, 3);
    if (!blob || (!is_key && !r->before))
        return -EBADMSG;
    if (is_key)
        stretch_restart(r->stretch);
    r->picture.n = 0;
    if (stretch_take(r->stretch, blob, n, &r->picture) < 0)
        return -EBADMSG;
    struct reading reading = {.at = r->picture.at, .end = r->picture.at + r->picture.n};
    s->recorded = true;
    return picture_unpack(s, is_key ? NULL : r->before, &reading, &lookup);
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
    (void)err;
    int64_t first = first_key(r);
    int64_t key = query_int(
        r, "SELECT snap FROM snapshots WHERE is_key AND now_ns<=? ORDER BY now_ns DESC LIMIT 1",
        at_ns, first);
    sqlite3_stmt *stmt = prepare(r, "SELECT max(snap) FROM snapshots WHERE snap>=?1 AND snap<"
                                    "ifnull((SELECT min(snap) FROM snapshots WHERE is_key AND "
                                    "snap>?1),9e18) AND now_ns<=?2");
    r->skip_until = key;
    sqlite3_bind_int64(stmt, 1, key);
    sqlite3_bind_int64(stmt, 2, at_ns);
    if (stmt && sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int64(stmt, 0) > key)
        r->skip_until = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    begin_at(r, key);
    return 0;
}
