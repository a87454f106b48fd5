#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// "disk I/O error" does not say that the disk is full, "unable to open" not that the folder is missing.
static const char *reason(sqlite3 *db)
{
    if (!db)
        return "out of memory";
    int code = sqlite3_errcode(db);
    bool is_systems = code == SQLITE_IOERR || code == SQLITE_CANTOPEN;
    int system = is_systems ? sqlite3_system_errno(db) : 0;
    return system ? strerror(system) : sqlite3_errmsg(db);
}

int store_error(struct error *err, sqlite3 *db, const char *path, const char *what)
{
    return error_set(err, STATUS_INTERNAL, EIO, "%.300s: %s: %s", path, what, reason(db));
}

int store_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

bool store_has_rows(const struct table *t)
{
    return strcmp(t->name, "stalls") != 0 && strcmp(t->name, "finding_occurrences") != 0;
}

int store_all_tables(const struct table *ret[STORE_TABLES])
{
    int n = 0;
    for (int i = 0; record_tables[i]; i++) {
        const struct table *t = record_tables[i];
        if (!store_has_rows(t))
            continue;
        ret[n++] = t;
        for (int k = 0; k < t->nchildren; k++)
            if (store_has_rows(t->children[k]))
                ret[n++] = t->children[k];
    }
    return n;
}

int store_table_index(const struct table *t)
{
    const struct table *all[STORE_TABLES];
    int n = store_all_tables(all);
    for (int i = 0; i < n; i++)
        if (all[i] == t)
            return i;
    abort();
}

static const char *sql_type(enum column_type type)
{
    switch (type) {
    case COL_REAL: return "REAL";
    case COL_PROSE: return "TEXT";
    case COL_SPARK:
    case COL_HIST: return NULL; // only in the picture
    default: return "INTEGER";
    }
}

static void table_sql(FILE *f, const struct table *t)
{
    fprintf(f, "CREATE TABLE %s(snap INTEGER NOT NULL,parent INTEGER NOT NULL,pos INTEGER NOT NULL",
            t->name);
    for (int i = 0; i < t->ncolumns; i++)
        if (sql_type(t->columns[i].type))
            fprintf(f, ",\"%s\" %s", t->columns[i].name, sql_type(t->columns[i].type));
    fputs(",PRIMARY KEY(snap,parent,pos)) WITHOUT ROWID;\n", f);
}

// The same with texts in place and stacks by their id: what a person queries.
static void view_sql(FILE *f, const struct table *t)
{
    fprintf(f, "CREATE VIEW v_%s AS SELECT t.snap,s.now_ns,t.parent,t.pos", t->name);
    for (int i = 0; i < t->ncolumns; i++) {
        const struct column *c = &t->columns[i];
        if (c->type == COL_TEXT)
            fprintf(f, ",(SELECT text FROM texts WHERE id=t.\"%s\") AS \"%s\"", c->name, c->name);
        else if (c->type == COL_STACK)
            fprintf(f, ",(SELECT hash FROM stacks WHERE id=t.\"%s\") AS \"%s\"", c->name, c->name);
        else if (sql_type(c->type))
            fprintf(f, ",t.\"%s\"", c->name);
    }
    fprintf(f, " FROM %s t JOIN snapshots s ON s.snap=t.snap;\n", t->name);
}

static const char fixed_sql[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY,value TEXT) WITHOUT ROWID;\n"
    "CREATE TABLE texts(id INTEGER PRIMARY KEY,text TEXT NOT NULL);\n"
    "CREATE TABLE frames(id INTEGER PRIMARY KEY,function INTEGER,file INTEGER,module INTEGER,"
    "build_id INTEGER,\"offset\" INTEGER,line INTEGER,kind INTEGER,uncertain INTEGER,"
    "runtime INTEGER);\n"
    "CREATE TABLE stacks(id INTEGER PRIMARY KEY,hash TEXT NOT NULL,culprit INTEGER,torn INTEGER,"
    "to_main INTEGER,nframes INTEGER);\n"
    "CREATE TABLE snapshots(snap INTEGER PRIMARY KEY,now_ns INTEGER NOT NULL,"
    "is_key INTEGER NOT NULL,has_rows INTEGER NOT NULL,picture BLOB NOT NULL);\n"
    "CREATE INDEX key_snapshots ON snapshots(now_ns) WHERE is_key;\n"
    "CREATE INDEX snapshots_with_rows ON snapshots(now_ns) WHERE has_rows;\n"
    "CREATE TABLE stack_frames(stack INTEGER NOT NULL,pos INTEGER NOT NULL,frame INTEGER NOT NULL,"
    "PRIMARY KEY(stack,pos)) WITHOUT ROWID;\n"
    "CREATE VIEW v_stacks AS SELECT s.hash,s.torn,s.to_main,f.pos,f.pos=s.culprit AS culprit,"
    "(SELECT text FROM texts WHERE id=r.function) AS function,"
    "(SELECT text FROM texts WHERE id=r.file) AS file,r.line,"
    "(SELECT text FROM texts WHERE id=r.module) AS module,"
    "(SELECT text FROM texts WHERE id=r.build_id) AS build_id,r.\"offset\",r.kind,r.uncertain,"
    "r.runtime FROM stacks s JOIN stack_frames f ON f.stack=s.id JOIN frames r ON r.id=f.frame;\n";

// One row a stall, once it has ended: when, how long, why, and the line that did it.
static const char stall_sql[] =
    "CREATE TABLE stalls(snap INTEGER NOT NULL,stall_id INTEGER NOT NULL,pid INTEGER,tid INTEGER,"
    "begin_ns INTEGER,duration_ns INTEGER,lower_bound INTEGER,cause_kind INTEGER,"
    "cause_syscall INTEGER,cause_fd INTEGER,cause_path INTEGER,cause_peer INTEGER,"
    "cause_lock INTEGER,cause_holder_tid INTEGER,task_name INTEGER,stack INTEGER);\n"
    "CREATE VIEW v_stalls AS SELECT a.snap,a.stall_id,a.pid,a.tid,a.begin_ns,a.duration_ns,"
    "a.lower_bound,a.cause_kind,(SELECT text FROM texts WHERE id=a.cause_syscall) AS cause_syscall,"
    "a.cause_fd,(SELECT text FROM texts WHERE id=a.cause_path) AS cause_path,"
    "(SELECT text FROM texts WHERE id=a.cause_peer) AS cause_peer,"
    "(SELECT text FROM texts WHERE id=a.cause_lock) AS cause_lock,a.cause_holder_tid,"
    "(SELECT text FROM texts WHERE id=a.task_name) AS task_name,s.hash AS stack,"
    "(SELECT text FROM texts WHERE id=r.function) AS function,"
    "(SELECT text FROM texts WHERE id=r.file) AS file,r.line FROM stalls a "
    "LEFT JOIN stacks s ON s.id=a.stack "
    "LEFT JOIN stack_frames f ON f.stack=s.id AND f.pos=s.culprit "
    "LEFT JOIN frames r ON r.id=f.frame;\n";

sqlite3_stmt *store_insert_stall(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_prepare_v3(db, "INSERT INTO stalls VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", -1,
                       SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    return stmt;
}

int store_create(sqlite3 *db)
{
    const struct table *all[STORE_TABLES];
    int n = store_all_tables(all);
    char *sql = NULL;
    size_t size;
    FILE *f = open_memstream(&sql, &size);
    if (!f)
        return SQLITE_NOMEM;
    fputs(fixed_sql, f);
    for (int i = 0; i < n; i++) {
        table_sql(f, all[i]);
        view_sql(f, all[i]);
    }
    fputs(stall_sql, f);
    fclose(f);
    int rc = store_exec(db, sql);
    free(sql);
    return rc;
}

static sqlite3_stmt *read_schema(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_prepare_v2(db, "SELECT type,name,tbl_name,sql FROM sqlite_schema ORDER BY type,name",
                       -1, &stmt, NULL);
    return stmt;
}

static bool same_row(sqlite3_stmt *a, sqlite3_stmt *b)
{
    for (int i = 0; i < sqlite3_column_count(a); i++) {
        const char *x = (const char *)sqlite3_column_text(a, i);
        const char *y = (const char *)sqlite3_column_text(b, i);
        if (!x || !y || strcmp(x, y) != 0)
            return false;
    }
    return true;
}

static bool same_rows(sqlite3_stmt *a, sqlite3_stmt *b)
{
    for (;;) {
        int rc = sqlite3_step(a);
        if (sqlite3_step(b) != rc)
            return false;
        if (rc != SQLITE_ROW)
            return rc == SQLITE_DONE;
        if (!same_row(a, b))
            return false;
    }
}

bool store_is_ours(sqlite3 *db)
{
    sqlite3 *model = NULL;
    bool made = sqlite3_open(":memory:", &model) == SQLITE_OK && store_create(model) == SQLITE_OK;
    sqlite3_stmt *ours = made ? read_schema(model) : NULL, *theirs = read_schema(db);
    bool same = ours && theirs && same_rows(ours, theirs);
    sqlite3_finalize(ours);
    sqlite3_finalize(theirs);
    sqlite3_close(model);
    return same;
}

sqlite3_stmt *store_insert(sqlite3 *db, const struct table *t)
{
    sqlite3_stmt *stmt = NULL;
    char *sql;
    size_t size;
    FILE *f = open_memstream(&sql, &size);
    if (!f)
        return NULL;
    fprintf(f, "INSERT INTO %s VALUES(?,?,?", t->name);
    for (int i = 0; i < t->ncolumns; i++)
        if (sql_type(t->columns[i].type))
            fputs(",?", f);
    fputc(')', f);
    fclose(f);
    sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    free(sql);
    return stmt;
}
