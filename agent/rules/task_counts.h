// Rules on what a runtime counts by spawn site: tasks that came and went between two looks are in it.
#ifndef LOOPSCOPE_TASK_COUNTS_H
#define LOOPSCOPE_TASK_COUNTS_H

#include "engine.h"

struct count_words {
    const char *counter;                              // of the rule's memory
    int64_t (*count)(const struct snap_task_site *s); // SNAP_UNKNOWN: nobody counts
    const char *one, *many;                           // "task %s %s", "%lld tasks %s"
    bool error;                                       // say which
};

// One finding for each site whose counter has grown within the window. True when there was one for that site.
bool task_counts_judge(struct rules *r, const struct rule *rule, const struct snap *now,
                       const struct count_words *words);

#endif
