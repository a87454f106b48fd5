// The SQLite side: the schema, texts and stacks kept once. Used by the recorder and the reader.
#ifndef LOOPSCOPE_RECORD_STORE_H
#define LOOPSCOPE_RECORD_STORE_H

#include <sqlite3.h>

#include "../error.h"
#include "tables.h"

// "path: what, SQLite's words"; returns -EIO.
int store_error(struct error *err, sqlite3 *db, const char *path, const char *what);
int store_exec(sqlite3 *db, const char *sql);

// Creates all tables and views in an empty database. A SQLite result code.
int store_create(sqlite3 *db);
// Whether the schema is, word for word, what store_create makes. Any other is not read: its views, formulas and
// virtual tables would run as it is, for as long as whoever made the file likes.
bool store_is_ours(sqlite3 *db);
sqlite3_stmt *store_insert(sqlite3 *db, const struct table *t); // "INSERT INTO t VALUES(?,...)"
sqlite3_stmt *store_insert_stall(sqlite3 *db);                  // the columns of `stalls`, in order

// Stalls have rows of their own, one each: neither they nor a finding's occurrences have those of a snapshot.
bool store_has_rows(const struct table *t);
// Every table that has rows of a snapshot, children too. The order is fixed.
#define STORE_TABLES 24 // at most
int store_all_tables(const struct table *ret[STORE_TABLES]);
int store_table_index(const struct table *t);

// Texts, frames and stacks already in the file, by content. redact: stacks without folders.
struct once;
struct once *once_new(sqlite3 *db, bool redact);
void once_free(struct once *in);
int64_t once_text(struct once *in, const char *text);           // row id; -1 on error
int64_t once_stack(struct once *in, const struct stack *stack); // likewise
void once_begin(struct once *in, int64_t stretch); // the number of the key picture that comes now
// Removes what only stretches before `first` have named. A SQLite code.
int once_forget(struct once *in, int64_t first);

#endif
