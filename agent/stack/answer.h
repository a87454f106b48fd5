// The bodies of answers: written by the helper, read by the agent. One file holds both directions of each,
// so that they cannot drift apart.
#ifndef LOOPSCOPE_STACK_ANSWER_H
#define LOOPSCOPE_STACK_ANSWER_H

#include "lang.h"
#include "merge.h"
#include "stacker.h"
#include "wire.h"

struct stack_facts { // beside the frames
    bool torn, live_reads, in_language, gc;
    const char *why_not, *lock, *holder;
    struct task_ref task;
    struct frame_place place;
};

void put_stack(struct writer *w, const struct merged *m, const struct stack_facts *facts);
void put_no_stack(struct writer *w, const char *why_not);
// ret->stack is new (one reference); strings lie in the message. False: malformed.
bool get_stack(struct reader *r, struct stack_answer *ret);

void put_identity(struct writer *w, const struct identity *id);
bool get_identity(struct reader *r, struct identity *ret);

void put_tasks(struct writer *w, const struct tasks_answer *t);
// rows and chains are malloc'd as one block each, in *rows and *chains: the caller frees both.
bool get_tasks(struct reader *r, struct tasks_answer *ret, struct task_row **rows,
               struct frame **chains);

#endif
