// What a file of bounded size can hold of long lists.
#ifndef LOOPSCOPE_RECORD_TRIM_H
#define LOOPSCOPE_RECORD_TRIM_H

#include "../snapshot/snapshot.h"

// s itself (a new reference), or a copy whose rows of tasks and of descriptors each take no more than
// about max_bytes of a file. Totals and aggregates by site stay: views say how many rows are not shown.
struct snap *snap_trim(struct snap *s, int64_t max_bytes);

#endif
