#ifndef LOOPSCOPE_RECORD_PRUNE_H
#define LOOPSCOPE_RECORD_PRUNE_H

#include "store.h"

// Forgets what lies before a point in time or beyond a size, in whole stretches from key picture to key
// picture, so that what stays can be shown from its first second. The newest stretch stays in any case.
// Within a transaction. A SQLite code.
int prune_older(sqlite3 *db, struct once *once, int64_t limit_ns);
int prune_larger(sqlite3 *db, struct once *once, int64_t max_bytes);
int64_t prune_bytes(sqlite3 *db); // in use

#endif
