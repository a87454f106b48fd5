#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int store_error(struct error *err, sqlite3 *db, const char *path, const char *what)
{
    return error_set(err, STATUS_INTERNAL, EIO, "%.300s: %s: %s", path, what,
                     db ? sqlite3_errmsg(db) : "out of memory");
}

int store_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int store_all_tables(const struct table *ret[STORE_TABLES])
{
    int n = 0;
    for (int i = 0; record_tables[i]; i++) {
        ret[n++] = record_tables[i];
        for (int k = 0; k < record_tables[i]->nchildren; k++)
            ret[n++] = record_tables[i]->children[k];
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
    case COL_HIST: return "BLOB";
    default: return "INTEGER";
    }
}

static void table_sql(FILE *f, const struct table *t)
{
    fprintf(f, "CREATE TABLE %s(snap INTEGER NOT NULL,parent INTEGER NOT NULL,pos INTEGER NOT NULL",
            t->name);
    for (int i = 0; i < t->ncolumns; i++)
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
        else if (c->type != COL_SPARK && c->type != COL_HIST)
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
    "CREATE TABLE orders(snap INTEGER NOT NULL,tbl INTEGER NOT NULL,parent INTEGER NOT NULL,"
    "runs BLOB NOT NULL,PRIMARY KEY(snap,tbl,parent)) WITHOUT ROWID;\n"
    "CREATE TABLE stack_frames(stack INTEGER NOT NULL,pos INTEGER NOT NULL,frame INTEGER NOT NULL,"
    "PRIMARY KEY(stack,pos)) WITHOUT ROWID;\n"
    "CREATE VIEW v_stacks AS SELECT s.hash,s.torn,s.to_main,f.pos,f.pos=s.culprit AS culprit,"
    "(SELECT text FROM texts WHERE id=r.function) AS function,"
    "(SELECT text FROM texts WHERE id=r.file) AS file,r.line,"
    "(SELECT text FROM texts WHERE id=r.module) AS module,"
    "(SELECT text FROM texts WHERE id=r.build_id) AS build_id,r.\"offset\",r.kind,r.uncertain,"
    "r.runtime FROM stacks s JOIN stack_frames f ON f.stack=s.id JOIN frames r ON r.id=f.frame;\n";

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
    fputs("CREATE TABLE snapshots(snap INTEGER PRIMARY KEY,version INTEGER NOT NULL,"
          "now_ns INTEGER NOT NULL,is_key INTEGER NOT NULL",
          f);
    for (int i = 0; record_tables[i]; i++)
        if (!record_tables[i]->embedded)
            fprintf(f, ",n_%s INTEGER NOT NULL", record_tables[i]->name);
    fputs(");\nCREATE INDEX snapshots_by_time ON snapshots(now_ns);\n"
          "CREATE INDEX key_snapshots ON snapshots(snap) WHERE is_key;\n",
          f);
    for (int i = 0; i < n; i++) {
        table_sql(f, all[i]);
        view_sql(f, all[i]);
    }
    fclose(f);
    int rc = store_exec(db, sql);
    free(sql);
    return rc;
}

static sqlite3_stmt *prepare(sqlite3 *db, char *sql)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
    free(sql);
    return stmt;
}

sqlite3_stmt *store_insert(sqlite3 *db, const struct table *t)
{
    char *sql;
    size_t size;
    FILE *f = open_memstream(&sql, &size);
    if (!f)
        return NULL;
    fprintf(f, "INSERT INTO %s VALUES(?,?,?", t->name);
    for (int i = 0; i < t->ncolumns; i++)
        fputs(",?", f);
    fputc(')', f);
    fclose(f);
    return prepare(db, sql);
}

static bool has_column(sqlite3 *db, const char *table, const char *column)
{
    return sqlite3_table_column_metadata(db, NULL, table, column, NULL, NULL, NULL, NULL, NULL) ==
           SQLITE_OK;
}

sqlite3_stmt *store_select(sqlite3 *db, const struct table *t)
{
    char *sql;
    size_t size;
    FILE *f = open_memstream(&sql, &size);
    if (!f)
        return NULL;
    fputs("SELECT snap,parent,pos", f);
    for (int i = 0; i < t->ncolumns; i++)
        if (has_column(db, t->name, t->columns[i].name))
            fprintf(f, ",\"%s\"", t->columns[i].name);
        else
            fputs(",NULL", f); // an older file: unknown
    fprintf(f, " FROM %s WHERE snap>=? ORDER BY snap,parent,pos", t->name);
    fclose(f);
    return prepare(db, sql);
}
