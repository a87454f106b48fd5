// The interpreter's lock: whether a thread waits for it, and which one holds it, in what function. The latter is read from the live process a moment
// after the stack was taken, while the holder runs: where its frames do not hold still nothing is said of them.
#include <stdio.h>
#include <string.h>

#include "cpython.h"

#define HOLDER_FRAMES 128
#define TRIES         3
#define LEAF_FRAMES   8
#define LEAF_BYTES    4096

// struct _gil_runtime_state, the same from 3.9 to 3.15.
enum { LAST_HOLDER = 8, LOCKED = 16, CONDITION = 32, CONDITION_BYTES = 48 + 40 };

static uint64_t gil_of(struct cpython *py)
{
    if (py->o.rt_gil >= 0)
        return py->runtime + (uint64_t)py->o.rt_gil;
    return py->o.is_gil >= 0 && py->interpreter
               ? py_pointer(py, py->interpreter + (uint64_t)py->o.is_gil)
               : 0;
}

static bool has_prefix(const char *text, const char *prefix)
{
    return text && !strncmp(text, prefix, strlen(prefix));
}

// By names: take_gil's, or that of a call which takes the lock, directly above a condition variable. The index of
// that variable's wait in *cond; -1: none.
static bool is_named(const struct native_frame *frames, int n, int *cond)
{
    static const char *const takers[] = {"PyEval_RestoreThread",     "PyEval_AcquireThread",
                                         "PyEval_AcquireLock",       "_PyThreadState_Attach",
                                         "_PyEval_EvalFrameDefault", "PyGILState_Ensure"};
    *cond = -1;
    for (int i = 0; i < n && i < LEAF_FRAMES; i++) {
        const char *s = frames[i].symbol;
        if (has_prefix(s, "take_gil"))
            return true;
        if (s && strstr(s, "pthread_cond_"))
            *cond = i;
        for (size_t k = 0; s && *cond >= 0 && k < sizeof takers / sizeof *takers; k++)
            if (has_prefix(s, takers[k]))
                return true;
        if (has_prefix(s, "_PyEval_Eval") || has_prefix(s, "_TAIL_CALL_") ||
            has_prefix(s, "PyThread_"))
            break;
    }
    return false;
}

// Stripped builds name none of these. The wait keeps the address of its condition variable and of the mutex on the
// stack: those of the lock say it all.
bool py_waits_for_gil(struct cpython *py, const struct native_frame *frames, int n)
{
    int cond;
    if (is_named(frames, n, &cond))
        return true;
    uint64_t gil = cond >= 0 && cond + 2 < n ? gil_of(py) : 0, word;
    uint64_t end = gil ? frames[cond + 2].sp : 0;
    if (gil && end - frames[0].sp > LEAF_BYTES)
        return false;
    for (uint64_t at = frames[0].sp & ~7ull; at < end && mem_u64(py->m, at, &word); at += 8)
        if (word >= gil + CONDITION && word < gil + CONDITION + CONDITION_BYTES)
            return true;
    return false;
}

static uint64_t holder_of(struct cpython *py)
{
    uint64_t gil = gil_of(py), holder = gil ? py_pointer(py, gil + LAST_HOLDER) : 0;
    return holder && py_word32(py, gil + LOCKED) == 1 ? holder : 0;
}

// The innermost frame that is the program's; without one the innermost of all. false: none that holds still.
static bool find_frame(struct cpython *py, uint64_t thread, struct py_frame *ret)
{
    struct py_frame frames[HOLDER_FRAMES];
    bool torn = false;
    int n = py_thread_frames(py, thread, frames, HOLDER_FRAMES, &torn);
    if (torn || !n)
        return false;
    *ret = frames[0];
    for (int i = 0; i < n; i++) {
        const struct py_code *c = py_code_at(py, frames[i].code);
        if (c && !c->runtime) {
            *ret = frames[i];
            break;
        }
    }
    return true;
}

struct name_search {
    struct cpython *py;
    int64_t ident;
    uint64_t thread; // threading's object
};

static bool is_thread(void *arg, uint64_t key, uint64_t value)
{
    struct name_search *s = arg;
    int64_t ident;
    if (!py_int(s->py, key, &ident) || ident != s->ident)
        return false;
    s->thread = value;
    return true;
}

// As the program named it. threading keeps its objects by what pthread_self says of them.
static bool thread_name(struct cpython *py, uint64_t thread, char *buf, size_t n)
{
    uint64_t modules = py_pointer(py, py->interpreter + (uint64_t)py->o.is_modules);
    uint64_t module = modules ? py_dict_get(py, modules, "threading") : 0;
    uint64_t dict = module ? py_pointer(py, module + (uint64_t)py->o.md_dict) : 0;
    uint64_t active = dict ? py_dict_get(py, dict, "_active") : 0;
    struct name_search s = {py, py_long_word(py, thread + (uint64_t)py->o.ts_thread_id), 0};
    if (!active || py_kind_of(py, active) != PY_DICT)
        return false;
    py_dict_each(py, active, is_thread, &s);
    return s.thread && py_string(py, py_attribute(py, s.thread, "_name"), buf, n);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void put_frame(struct cpython *py, const struct py_frame *f, char *buf, size_t size)
{
    const struct py_code *c = py_code_at(py, f->code);
    int line = c ? py_line(py, c, f->instr) : 0;
    if (!c)
        return;
    if (line > 0)
        snprintf(buf, size, " in %s (%s:%d)", c->function, base_name(c->file), line);
    else
        snprintf(buf, size, " in %s (%s)", c->function, base_name(c->file));
}

const char *py_gil_holder(struct cpython *py, uint64_t waiter)
{
    char name[PY_NAME_MAX] = "", where[2 * PY_NAME_MAX + 32] = "";
    uint64_t thread = 0;
    for (int i = 0; i < TRIES && !*where && !mem_spent(py->m); i++) {
        struct py_frame f;
        mem_forget(py->m);
        thread = holder_of(py);
        if (!thread || thread == waiter)
            return NULL;
        if (find_frame(py, thread, &f))
            put_frame(py, &f, where, sizeof where);
    }
    if (!thread_name(py, thread, name, sizeof name) && !*where)
        return NULL;
    snprintf(py->holder, sizeof py->holder, "thread %s%s", *name ? name : "without a name", where);
    return py->holder;
}
