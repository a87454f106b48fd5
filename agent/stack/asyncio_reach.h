// What the waiting tasks of a program can reach, and who else can: the collector's way of counting, from outside.
//
// Each object has a count of references. Those that come from the frames of waiting tasks, and from objects that these
// reach, can be found; if the count is larger, something else has the object, too: a task that runs, a timer, a
// thread, a module. Whatever is not followed here (unknown containers, slots, long lists) leaves the count of what it
// holds larger than what was found, and so counts as somebody else.
#ifndef LOOPSCOPE_STACK_ASYNCIO_REACH_H
#define LOOPSCOPE_STACK_ASYNCIO_REACH_H

#include <uthash.h>

#include "asyncio.h"

#define REACH_NONE UINT32_MAX

struct reach_object {
    UT_hash_handle hh;
    uint64_t address; // of a task's run: odd, see reach_run
    uint32_t index;
    uint32_t task;        // of coroutines that a task runs: its run; else REACH_NONE
    uint32_t links;       // the first one
    uint64_t holder;      // the task that can reach it; 0: none yet
    int64_t refs, inside; // by its own count, and those found
    bool own;             // the coroutine of a task, which only that can run, whoever holds it
    bool shared, live;    // by more than one task; somebody else has it, or can reach it
};
struct reach_link {
    uint32_t to, next;
};
struct reach {
    struct cpython *py;
    struct reach_object *by_address, **all;
    size_t n, capacity, expanded;
    struct reach_link *links;
    size_t nlinks, links_capacity;
};

void reach_free(struct reach *r);
// That a task runs, as an object: it reaches what its coroutine's frames and its callbacks hold. REACH_NONE: no memory.
uint32_t reach_run(struct reach *r, uint64_t task);
// A reference is found: from REACH_NONE, one that lets nobody use it (a finished frame of a traceback).
void reach_refer(struct reach *r, uint32_t from, uint64_t object);
// When `from` is used, `to` may be.
void reach_link(struct reach *r, uint32_t from, uint32_t to);
uint32_t reach_index(const struct reach *r, uint64_t address); // REACH_NONE: was not met
// Follows all that was referred to, then tells what is live.
void reach_expand(struct reach *r);
void reach_settle(struct reach *r);

#endif
