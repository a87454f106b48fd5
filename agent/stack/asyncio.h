// asyncio from outside: what its files share. See asyncio.c for the method.
#ifndef LOOPSCOPE_STACK_ASYNCIO_H
#define LOOPSCOPE_STACK_ASYNCIO_H

#include "cpython.h"

struct arena;
struct lost_suspect;

#define TASK_CHAIN 24 // frames of an await chain that are kept
#define TASK_BYTES 200

// Where an interpreter keeps its tasks; found through sys.modules, which is searched again when it
// grows.
struct asyncio {
    uint64_t modules, modules_used;  // dict and its count when it was searched
    uint64_t tasks_module, c_module; // their dicts; 0: not imported
    uint64_t group_code;             // of TaskGroup.__aexit__; 0: not imported, or not found
    bool debug_applied;
    struct arena *arena;       // of the last answer
    struct lost_suspect *lost; // tasks that nothing could wake when that was last looked at
    size_t nlost;
    int64_t lost_next_ns; // CLOCK_MONOTONIC
};

struct task_frame {
    uint64_t object; // coroutine or generator
    uint64_t code, instr;
    enum py_kind kind;
};

// Everything that is shown of a task, as read at one moment.
struct task {
    uint64_t address, type, coroutine, waiter, callback0, callbacks, exception, name, awaited_by;
    uint64_t awaiter, waits_in, wanted_lock;
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
// A task's count of cancels says that somebody cancelled it. Up to 3.12 a TaskGroup whose child fails cancels the task
// that waits for it and never takes the count back, so there it says nothing once a TaskGroup has been at work.
bool asyncio_cancels_tell(struct cpython *py);

// Frames. One step of an await chain: *f when the object has a frame (true), *next what it awaits
// or 0.
bool task_step(struct cpython *py, uint64_t object, struct task_frame *f,
               enum py_frame_state *state, uint64_t *next);
// Where a coroutine's frame lies; 0: ended or not a coroutine.
uint64_t task_frame_address(struct cpython *py, uint64_t coroutine);
// The same of anything that has a frame, and how many locals and values on its stack are in use.
uint64_t task_frame_base(struct cpython *py, uint64_t object);
uint64_t task_frame_slots(struct cpython *py, uint64_t frame);

// Reads a task object and its await chain; false: torn or none.
bool task_read(struct cpython *py, uint64_t address, struct task *t);
// Over all bytes that are shown of it, as the process holds them now; two equal ones prove a quiet
// task.
uint64_t task_fingerprint(struct cpython *py, const struct task *t);
void task_name(struct cpython *py, const struct task *t, char *buf, size_t n, int64_t *number);
// The coroutine's code object (also when it has ended, from 3.11 on); NULL unknown. Who created a
// task is not in its objects; the nearest thing that is there is where its coroutine function is
// defined, so that (the code's site) stands for the spawn site.
const struct py_code *task_code(struct cpython *py, uint64_t coroutine);
// Its qualified name: the code's, or buf filled (up to 3.10 only the object has the whole name);
// NULL unknown.
const char *task_coroutine_name(struct cpython *py, uint64_t coroutine, const struct py_code *code,
                                char *buf, size_t n);
// The task that is woken when this one ends; 0 nobody.
uint64_t task_awaiter(struct cpython *py, const struct task *t);
// Who else holds the task, by reference counts.
enum task_hold { TASK_HELD, TASK_UNHELD, TASK_GARBAGE };
enum task_hold task_hold(struct cpython *py, const struct task *t);
// The lock, event, condition, semaphore or queue of asyncio in whose method it waits; 0: none.
uint64_t task_waits_in(struct cpython *py, const struct task *t);
// The asyncio.Lock that it waits for; 0: none. waits_in must be known.
uint64_t task_wanted_lock(struct cpython *py, const struct task *t);
// The asyncio.Locks that it is known to hold; their number.
int task_held_locks(struct cpython *py, const struct task *t, uint64_t *locks, int max);
// CLOCK_MONOTONIC time at which its asyncio.sleep began; INT64_MIN: it is in none, or not known.
int64_t task_sleep_since(struct cpython *py, const struct task *t);

// Who waits for whom. Zero is an empty one.
struct wait_edge { // the second goes on when the first does
    uint64_t task, waiter;
};
struct wait_node;
struct wait_graph {
    struct wait_edge *edges;
    size_t n, capacity;
    bool unsorted;
    struct wait_node *nodes, **path, **open; // of the search so far
    size_t npath, path_capacity, nopen, open_capacity;
    uint32_t seen, cycles;
};
bool wait_graph_add(struct wait_graph *g, uint64_t task, uint64_t waiter); // false: out of memory
// Does the task wait for itself through others? Then one of its cycle that waits for it; 0: it does not. All edges must
// be there by then.
uint64_t wait_graph_cycle(struct wait_graph *g, uint64_t task);
void wait_graph_free(struct wait_graph *g);

// Who waits for which asyncio.Lock. Zero is an empty list.
struct lock_wait {               // in the order of the first
    uint64_t lock, task, holder; // holder 0: not known
};
struct lock_waits {
    struct lock_wait *v;
    size_t n, capacity;
};
void lock_waits_add(struct lock_waits *l, uint64_t lock, uint64_t task);
// Fills in the holders that wait for a lock or a task themselves, and adds whom they keep waiting to the graph, which
// must have all other edges.
void lock_waits_find_holders(struct cpython *py, struct lock_waits *l, struct wait_graph *g);
void lock_waits_free(struct lock_waits *l);

// Tasks that wait in a primitive of asyncio. Zero is an empty list.
struct lost_suspect {
    uint64_t task, primitive, print;
};
struct lost_suspects {
    struct lost_suspect *v;
    size_t n, capacity;
};
void lost_suspects_add(struct lost_suspects *l, struct lost_suspect s);
void lost_suspects_free(struct lost_suspects *l);
// Sets TASKF_NO_WAKER of those that nothing can wake. rows: of all tasks that there are. May take the list over.
void lost_tasks_mark(struct cpython *py, struct task_row *rows, int n, struct lost_suspects *l);

// Brings in what reading the tasks needs, in few and large reads. Addresses in order.
void task_fetch(struct cpython *py, const uint64_t *addresses, size_t n);

// Addresses of the tasks there are, sorted, each once.
struct task_list {
    uint64_t *addresses;
    size_t n, capacity;
    uint64_t running[64];
    int nrunning;
    int64_t cut; // known to be missing
};
bool task_list_add(struct task_list *l, uint64_t address);
void task_list_collect(struct cpython *py, struct task_list *l);
void task_list_free(struct task_list *l);

// Coroutines that were never started and belong to no task, and tasks that no list holds, from the
// lists of the collector. coroutines: those of the tasks, sorted.
struct gc_found {
    uint64_t *never_awaited, *unread; // tasks and futures with an unread error
    size_t nnever, nunread;
    int64_t objects, broken;
};
void asyncio_gc_walk(struct cpython *py, const uint64_t *coroutines, size_t n,
                     struct gc_found *ret);

#endif
