// Rules on tasks that have a flag for some time.
#ifndef LOOPSCOPE_TASK_FLAGS_H
#define LOOPSCOPE_TASK_FLAGS_H

#include "engine.h"

struct task_words {
    const char *one,
        *many; // "task %s was ...", after the name; "tasks of %s were ...", after the count
    bool (*counts)(const struct snap *now,
                   const struct snap_task *t); // NULL: all that have the flag
    // Further evidence; NULL: none.
    void (*more)(struct draft *d, const struct snap *now, const struct snap_task *t);
};

// One finding for each spawn site whose tasks have had `flag` for as long as the rule's key "after".
void task_flags_judge(struct rules *r, const struct rule *rule, const struct snap *now,
                      unsigned flag, const struct task_words *words);
bool task_is_over(const struct snap_task *t);
// For task_words.counts: those that have not ended.
bool task_still_lives(const struct snap *now, const struct snap_task *t);

#endif
