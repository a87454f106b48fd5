// CPython from outside, within agent/stack: what its files share. Everything here reads through the
// walk's struct mem; an address of the target is a uint64_t, 0 is "none or unreadable".
#ifndef LOOPSCOPE_STACK_CPYTHON_H
#define LOOPSCOPE_STACK_CPYTHON_H

#include "cpython_offsets.h"
#include "lang.h"

#define PY_NAME_MAX 300 // bytes of a name or path that are kept

// What an object is, by the name of its type or of a type it derives from.
enum py_kind {
    PY_BAD, // not an object, or torn
    PY_OTHER,
    PY_TASK,
    PY_FUTURE,
    PY_GATHERING, // the future of asyncio.gather
    PY_COROUTINE,
    PY_GENERATOR,
    PY_ASYNC_GENERATOR,
    PY_FUTURE_ITER,
    PY_CFUNCTION,
    PY_METHOD,
    PY_FUNCTION,
    PY_PARTIAL,
    PY_COROUTINE_WRAPPER,
    PY_ASEND,
    PY_ATHROW,
    PY_ANEXT,
    PY_TASK_WAKEUP, // 3.9's own type of what other versions do with a C function
    PY_TIMER_HANDLE,
    PY_LOCK, // of asyncio, and others' of that name
    PY_CONDITION,
    PY_CELL,
    PY_DEQUE,
    PY_STR,
    PY_INT,
    PY_FLOAT,
    PY_CODE,
    PY_WEAKREF,
    PY_DICT,
    PY_SET,
    PY_TUPLE,
    PY_LIST,
};

// What became of a frame of a coroutine or generator; each version numbers it its own way.
enum py_frame_state { PY_CREATED, PY_SUSPENDED, PY_YIELD_FROM, PY_EXECUTING, PY_ENDED };

struct py_type {
    uint64_t address, name_address, base;
    enum py_kind kind;
    uint64_t flags;
    char name[48]; // of the type itself, not of the base that gave the kind
    unsigned walk; // of which walk it was last checked
};

// A code object as last read; its pointers prove that the address still holds the same one.
struct py_code {
    uint64_t address, filename_address, name_address, table_address;
    int first_line;
    char *function, *file;
    char *site;   // "file:first line"
    bool runtime; // standard library or frozen
    unsigned walk;
    uint8_t *table; // line table
    size_t table_len;
    uint64_t last_instr; // one remembered answer: most frames are seen again where they were
    int last_line;
};

#define PY_TYPES 1024 // slots, powers of two
#define PY_CODES 2048

struct asyncio;

struct cpython {
    struct cpython_offsets o;    // the version's row, overridden by debug offsets
    uint64_t runtime;            // _PyRuntime
    struct lang_process process; // as at attach; valid until detach
    struct mem *m;               // of the present walk
    unsigned walk;
    struct py_type types[PY_TYPES];
    struct py_code *codes[PY_CODES];
    struct asyncio *asyncio; // NULL until tasks are asked for
    struct lang_frame *out;  // of the present walk
    int out_count, out_capacity;
    struct taken_frame taken[TAKEN_FRAMES]; // for the next walk
    int ntaken;
    char texts[3][PY_NAME_MAX + 64]; // task_ref of the present walk
    uint64_t interpreter;            // of the thread found last; 0 none
    char holder[3 * PY_NAME_MAX];    // of the interpreter's lock, of the present walk
};

struct py_frame { // one Python frame of a thread, leaf first
    uint64_t address, code, instr;
    bool entry;      // the last of the run that one native call of the interpreter executes
    uint64_t anchor; // of an entry: an address among that native call's locals; 0 not known
};

// Attach begins a walk; every entry point of the walker must.
void py_begin(struct cpython *py, struct mem *m);

// Objects. Reads of a pointer give 0 when they fail.
uint64_t py_pointer(struct cpython *py, uint64_t address);
int64_t py_long_word(struct cpython *py, uint64_t address); // a 64-bit word, 0 when it fails
int32_t py_word32(struct cpython *py, uint64_t address);
bool py_string(struct cpython *py, uint64_t str, char *buf, size_t n); // UTF-8; empty when false
bool py_int(struct cpython *py, uint64_t object, int64_t *ret);        // up to two digits (60 bits)
bool py_number(struct cpython *py, uint64_t object, double *ret);      // float or int
const struct py_type *py_type_at(struct cpython *py, uint64_t type);   // NULL: none
const struct py_type *py_type_of(struct cpython *py, uint64_t object);
enum py_kind py_kind_of(struct cpython *py, uint64_t object);
// Calls visit for each pair until it returns true.
typedef bool (*py_visit)(void *arg, uint64_t key, uint64_t value);
void py_dict_each(struct cpython *py, uint64_t dict, py_visit visit, void *arg);
uint64_t py_dict_get(struct cpython *py, uint64_t dict, const char *key);
uint64_t py_attribute(struct cpython *py, uint64_t object, const char *name); // instance dict only
void py_attributes_each(struct cpython *py, uint64_t object, py_visit visit, void *arg);
// The keys of a set, malloc'd; *cut when it could not be read whole.
uint64_t *py_set_items(struct cpython *py, uint64_t set, size_t *count, bool *cut);

// Code and lines. NULL: not a code object.
const struct py_code *py_code_at(struct cpython *py, uint64_t address);
int py_line(struct cpython *py, const struct py_code *code, uint64_t instr); // 0 unknown
// The tables' formats; unit is the offset of the instruction in the table's units (2 bytes from
// 3.10 on).
int py_line_locations(const uint8_t *table, size_t n, int first_line, int64_t unit); // 3.11+
int py_line_ranges(const uint8_t *table, size_t n, int first_line, int64_t offset);  // 3.10
int py_line_lnotab(const uint8_t *table, size_t n, int first_line, int64_t offset);  // up to 3.9
void py_codes_free(struct cpython *py);

// Threads and frames.
uint64_t py_thread_of(struct cpython *py, int tid, uint64_t stack_low); // 0 none
int py_thread_frames(struct cpython *py, uint64_t thread, struct py_frame *frames, int max,
                     bool *torn);

// The thread whose native frames these are wants the interpreter's lock.
bool py_waits_for_gil(struct cpython *py, const struct native_frame *frames, int n);
// "thread NAME in FUNCTION (FILE:LINE)" for the thread that holds the interpreter's lock, which `waiter` waits for;
// NULL: not known, or it is free again. Lives until the next walk. Forgets the pages read so far.
const char *py_gil_holder(struct cpython *py, uint64_t waiter);

// asyncio. The task that runs on this thread, as its frames show it; 0 none.
uint64_t asyncio_running(struct cpython *py, uint64_t thread, const struct py_frame *frames, int n);
void asyncio_task_ref(struct cpython *py, uint64_t task, struct task_ref *ret);
void asyncio_tasks(void *self, struct mem *m, bool gc_walk, int max_rows, struct tasks_answer *ret);
void asyncio_free(struct asyncio *a); // NULL is fine

#endif
