// What a snapshot consists of: one description, used to pack, to unpack, to copy, to hide, and to make the
// tables that a person queries.
//
// Adding a column to the snapshot is one line in tables.c. It changes tables_layout(): recordings and
// sockets of a build with another layout are refused.
#ifndef LOOPSCOPE_RECORD_TABLES_H
#define LOOPSCOPE_RECORD_TABLES_H

#include <stdbool.h>
#include <stddef.h>

#include "../snapshot/snapshot.h"

#define FORMAT_VERSION 2
#define APPLICATION_ID 0x4c535231 // "LSR1"

enum column_type {
    COL_INT, // int or enum
    COL_I64, // SNAP_UNKNOWN is NULL
    COL_U64, // bits kept as a signed integer
    COL_U32, // unsigned
    COL_BOOL,
    COL_REAL,   // NAN is NULL
    COL_TEXT,   // const char *, kept once in `texts`
    COL_PROSE,  // const char *, in place: sentences that rarely recur
    COL_STACK,  // struct stack *, kept once in `stacks`
    COL_SPARK,  // int64_t[LOOP_SPARK], as the difference to the row before
    COL_HIST,   // uint32_t[16], likewise
    COL_MOMENT, // int64_t, a point in time, mostly of late; SNAP_UNKNOWN is NULL
    COL_AGE,    // int64_t that grows as time goes: only what did not is said; SNAP_UNKNOWN is NULL
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
    int ncolumns;
    const struct column *columns;
    int nchildren;
    const struct table *const *children;
};

extern const struct table *const record_tables[]; // NULL ends it

// The array of a table's elements in its parent.
char *table_list(const struct table *t, const void *parent);
int table_count(const struct table *t, const void *parent);

uint32_t tables_layout(void); // a number that differs where any table or column does

size_t table_mask_size(const struct table *t);                 // of a bit for each column
const char *table_zeros(const struct table *t);                // an element with every byte 0
int64_t column_number(const struct column *c, const char *at); // INT, U32, I64, U64
bool column_equal(const struct column *c, const void *a, const void *b); // of these elements
int64_t aged(int64_t age, int64_t by_ns);                                // unknown and 0 stay so

// How texts change on the way; arg and the column are given. NULL hook: as they are.
typedef const char *(*text_hook)(void *arg, struct snap *into, const struct column *c,
                                 const char *text);
void column_copy(const struct column *c, struct snap *into, char *to, const char *from,
                 text_hook hook, void *arg);
// Deep copy of one element with its children into the memory of `into`.
void row_copy(const struct table *t, struct snap *into, void *to, const void *from, text_hook hook,
              void *arg);
void row_age(const struct table *t, void *row, int64_t by_ns); // its ages, its children's too
// Deep copy of a snapshot, through the hook.
struct snap *snap_clone_with(const struct snap *s, text_hook hook, void *arg);
struct snap *snap_clone(const struct snap *s);

#endif
