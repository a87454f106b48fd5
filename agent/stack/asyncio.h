// asyncio from outside: what its files share. See asyncio.c for the method.
#ifndef LOOPSCOPE_STACK_ASYNCIO_H
#define LOOPSCOPE_STACK_ASYNCIO_H

#include "cpython.h"

struct arena;

#define TASK_CHAIN 24 // frames of an await chain that are kept
#define TASK_BYTES 200

// Where an interpreter keeps its tasks; found through sys.modules, which is searched again when it grows.
struct asyncio {
    uint64_t modules, modules_used;  // dict and its count when it was searched
    uint64_t tasks_module, c_module; // their dicts; 0: not imported
    bool debug_applied;
    struct arena *arena; // of the last answer
};

struct task_frame {
    uint64_t object; // coroutine or generator
    uint64_t code, instr;
    enum py_kind kind;
};

// Everything that is shown of a task, as read at one moment.
struct task {
    uint64_t address, type, coroutine, waiter, callback0, callbacks, exception, name, awaited_by;
    uint64_t awaiter;
    uint32_t refs;
    int state; // CPython's: 0 pending, 1 cancelled, 2 finished
    int cancels;
    bool must_cancel, log_tb, awaited_by_is_set, eager;
    enum py_frame_state frame_state; // of the outermost coroutine
    int nframes;                     // outermost first
    struct task_frame frames[TASK_CHAIN];
    uint64_t leaf; // what the innermost one waits for; 0 none
    bool unstable;
};

// Finds the modules; false: asyncio is not imported.
bool asyncio_find(struct cpython *py, uint64_t interpreter);

// Frames. One step of an await chain: *f when the object has a frame (true), *next what it awaits or 0.
bool task_step(struct cpython *py, uint64_t object, struct task_frame *f,
               enum py_frame_state *state, uint64_t *next);
// Where a coroutine's frame lies; 0: ended or not a coroutine.
uint64_t task_frame_address(struct cpython *py, uint64_t coroutine);

// Reads a task object and its await chain; false: torn or none.
bool task_read(struct cpython *py, uint64_t address, struct task *t);
void task_name(struct cpython *py, const struct task *t, char *buf, size_t n, int64_t *number);
// "qualname", and "file:line" of its definition.
void task_coroutine(struct cpython *py, uint64_t coroutine, char *name, char *site, size_t n);

#endif
