// One helper's work: requests that wait, the one it has, its deadline.
//
// A helper works on one request at a time. So its death or a passed deadline costs that request only, and
// a helper that asks for a file knows that the next message is the answer.
#ifndef LOOPSCOPE_STACK_WORK_H
#define LOOPSCOPE_STACK_WORK_H

#include <uthash.h>

#include "inspector.h"
#include "lane.h"
#include "opener.h"
#include "stacker.h"

#define LANES 2

struct target { // a process, as the agent holds it
    int pid;
    struct process_files files;
    uint32_t told[LANES]; // generation of the helper that knows it; 0 none
    int deaths;           // of helpers, in a row
    int64_t left_alone_until_ns;
    UT_hash_handle hh;
};

struct job {
    struct job *next;
    enum message_kind kind;
    uint32_t id;
    int pid;
    int64_t allowed_ns; // from when it is sent
    struct stack_body stack;
    uint8_t *copy; // of the stack; owned
    struct tasks_body tasks;
    stack_cb on_stack; // at most one of the three is set
    identity_cb on_identity;
    tasks_cb on_tasks;
    void *arg;
};

struct queue {
    struct job *first, **last;
};

struct work {
    struct lane lane;
    int index; // of the lane: in target.told
    int epoll; // the helper's socket is added to it
    struct target **targets;
    struct queue urgent, later; // stacks; all else
    struct job *current;
    int64_t deadline_ns;
    int nforget, forget_cap;
    int *forget; // processes removed: the helper is told before the next request
};

struct target *find_target(struct target *targets, int pid); // NULL: not there

void work_init(struct work *w, int index, int epoll, struct target **targets,
               struct spawner *spawner);
void work_stop(struct work *w,
               const char *why_not);          // ends the helper, answers everything as failed
int work_start_helper(struct work *w);        // if none runs; -errno
void work_add(struct work *w, struct job *j); // takes it over; nothing is sent yet
// Sends if the helper is free. True: the first request cannot be sent, work_dispatch must answer it.
bool work_kick(struct work *w);
void work_dispatch(struct work *w); // receives, minds the deadline, sends; calls callbacks
void work_forget(struct work *w, const struct target *t);

#endif
