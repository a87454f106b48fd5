// Rows for people: what a snapshot holds, in tables that can be queried. loopscope itself reads pictures.
#ifndef LOOPSCOPE_RECORD_ROWS_H
#define LOOPSCOPE_RECORD_ROWS_H

#include "store.h"

enum rows_wanted {
    ROWS_STALLS, // stalls that have ended since the snapshot before: always
    ROWS_MINUTE, // and the tables that tell how things went
    ROWS_ALL,
    ROWS_END, // all but the stalls, which this snapshot has had
};

struct rows;
struct rows *rows_new(sqlite3 *db); // NULL: the database refused
void rows_free(struct rows *r);     // NULL is fine
// -EIO when the database refused. Texts and stacks are kept by `once`.
int rows_write(struct rows *r, struct once *once, int64_t number, const struct snap *s,
               enum rows_wanted wanted);

#endif
