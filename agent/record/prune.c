#include "prune.h"

#include <stdio.h>

#include "store.h"

static int64_t query(sqlite3 *db, const char *sql, int64_t arg)
{
    sqlite3_stmt *stmt = NULL;
    int64_t v = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(stmt, 1, arg);
        if (sqlite3_step(stmt) == SQLITE_ROW)
            v = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return v;
}

static int forget_before(sqlite3 *db, struct once *once, int64_t snap)
{
    const struct table *all[STORE_TABLES];
    int n = store_all_tables(all);
    char sql[160];
    int rc = SQLITE_OK;
    for (int i = 0; i < n + 2 && rc == SQLITE_OK; i++) {
        const char *name = i < n ? all[i]->name : i == n ? "stalls" : "snapshots";
        snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE snap<%lld", name, (long long)snap);
        rc = store_exec(db, sql);
    }
    if (rc == SQLITE_OK)
        rc = once_forget(once, snap);
    return rc == SQLITE_OK ? store_exec(db, "PRAGMA incremental_vacuum") : rc;
}

int prune_older(sqlite3 *db, struct once *once, int64_t limit_ns)
{
    int64_t snap =
        query(db, "SELECT max(snap) FROM snapshots WHERE is_key AND now_ns<=?", limit_ns);
    int64_t first = query(db, "SELECT min(snap) FROM snapshots WHERE snap>=?", 0);
    return snap > first ? forget_before(db, once, snap) : SQLITE_OK;
}

int64_t prune_bytes(sqlite3 *db)
{
    int64_t pages = query(db, "SELECT page_count FROM pragma_page_count", 0);
    int64_t free_pages = query(db, "SELECT freelist_count FROM pragma_freelist_count", 0);
    return (pages - free_pages) * query(db, "SELECT page_size FROM pragma_page_size", 0);
}

int prune_larger(sqlite3 *db, struct once *once, int64_t max_bytes)
{
    int rc = SQLITE_OK;
    while (rc == SQLITE_OK && prune_bytes(db) > max_bytes) {
        int64_t first = query(db, "SELECT min(snap) FROM snapshots WHERE is_key AND snap>=?", 0);
        int64_t next = query(db, "SELECT min(snap) FROM snapshots WHERE is_key AND snap>?", first);
        if (next == 0)
            break; // one stretch is left: the next key picture will free it
        rc = forget_before(db, once, next);
    }
    return rc;
}
