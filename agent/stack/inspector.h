// What the helper process does, without the process: requests in, answers out, as messages. The helper's
// main loop, unit tests and fuzzers all call this.
#ifndef LOOPSCOPE_STACK_INSPECTOR_H
#define LOOPSCOPE_STACK_INSPECTOR_H

#include "opener.h"
#include "stacker.h"
#include "wire.h"

struct inspector;
struct process;

struct inspector *
inspector_new(const struct opener *opener); // opener is copied; NULL: out of memory
void inspector_free(struct inspector *i);

// Takes over the descriptors. Replaces an earlier one of the same pid. -errno.
int inspector_add(struct inspector *i, int pid, const struct process_files *files);
void inspector_remove(struct inspector *i, int pid);
struct process *inspector_process(struct inspector *i, int pid); // NULL: not added

struct stack_body { // of MESSAGE_STACK; the stack follows, unless it came as a descriptor
    struct stack_request request; // its stack pointer means nothing
    bool plain; // without walkers and lines: after a helper has died of this request
};

struct tasks_body {
    int pid, max_rows;
    bool gc_walk;
};

// Each writes the body of the answer.
void inspector_preload(struct inspector *i, int pid, struct writer *ret);
void inspector_stack(struct inspector *i, const struct stack_request *r, bool plain,
                     struct writer *ret);
void inspector_identify(struct inspector *i, int pid, struct writer *ret);
void inspector_tasks(struct inspector *i, const struct tasks_body *b, struct writer *ret);

#endif
