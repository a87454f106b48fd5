// How a snapshot is laid out in tables: one description, used to write, to read, to compare and to copy.
//
// A recording works like a film. A key picture holds every row; the snapshots after it hold only the
// rows that changed, told apart by their place in the snapshot's arrays. The `snapshots` row of each
// says how long every array is. To see snapshot N: take the newest key picture at or before it, then put
// the rows of the following ones over it.
//
// Adding a column to the snapshot is one line in tables.c. Columns and tables are appended, never
// changed: a reader gives columns that an older file lacks their unknown value.
#ifndef LOOPSCOPE_RECORD_TABLES_H
#define LOOPSCOPE_RECORD_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "../snapshot/snapshot.h"

#define FORMAT_VERSION 1
#define APPLICATION_ID 0x4c535231 // "LSR1"

enum column_type {
    COL_INT, // int or enum
    COL_I64, // SNAP_UNKNOWN is NULL
    COL_U64, // bits kept as a signed integer
    COL_U32, // unsigned
    COL_BOOL,
    COL_REAL,  // NAN is NULL
    COL_TEXT,  // const char *, kept once in `texts`
    COL_PROSE, // const char *, in place: sentences that rarely recur
    COL_STACK, // struct stack *, kept once in `stacks`
    COL_SPARK, // int64_t[LOOP_SPARK], as the difference to the row before
    COL_HIST,  // uint32_t[16], likewise
};

enum secrecy { OPEN, SECRET }; // SECRET: hidden by --redact

struct column {
    const char *name;
    enum column_type type;
    size_t offset;
    enum secrecy secrecy;
};

struct table {
    const char *name;
    size_t size;        // of an element
    size_t list, count; // where its array and length are in the parent (struct snap, or an element)
    bool embedded;      // the element lies in struct snap at `list`; count is 1
    const struct column *key; // tells an element from another wherever it stands; NULL: its place
    int id;                   // in `orders`; never reused
    int ncolumns;
    const struct column *columns;
    int nchildren;
    const struct table *const *children;
};

extern const struct table *const record_tables[]; // NULL ends it

// The array of a table's elements in its parent.
char *table_list(const struct table *t, const void *parent);
int table_count(const struct table *t, const void *parent);

bool column_equal(const struct column *c, const void *a, const void *b);
bool row_equal(const struct table *t, const void *a, const void *b); // children not compared

// How texts change on the way; arg and the column are given. NULL hook: as they are.
typedef const char *(*text_hook)(void *arg, struct snap *into, const struct column *c,
                                 const char *text);
// The element's own columns, without its children.
void row_copy_flat(const struct table *t, struct snap *into, void *to, const void *from);
// Deep copy of one element with its children into the memory of `into`.
void row_copy(const struct table *t, struct snap *into, void *to, const void *from, text_hook hook,
              void *arg);
// Deep copy of a snapshot, through the hook.
struct snap *snap_clone_with(const struct snap *s, text_hook hook, void *arg);
struct snap *snap_clone(const struct snap *s);

#endif
