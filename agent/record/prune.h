#ifndef LOOPSCOPE_RECORD_PRUNE_H
#define LOOPSCOPE_RECORD_PRUNE_H

#include <sqlite3.h>
#include <stdint.h>

// Forgets what lies before a point in time or beyond a size, in whole stretches from key picture to key
// picture, so that what stays can be shown from its first second. Within a transaction. A SQLite code.
int prune_older(sqlite3 *db, int64_t limit_ns);
int prune_larger(sqlite3 *db, int64_t max_bytes);

#endif
