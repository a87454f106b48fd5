// Who holds an asyncio.Lock, which does not know it itself.
//
// A task that is within "async with lock" has the lock's __aexit__ on the value stack of that frame, from before it
// enters until it has left. Whether it has entered by now tell the frames below: __aenter__ and acquire of the lock
// are there while it waits for it, and Condition.wait has given it back. A lock that was taken by calling acquire()
// leaves no such trace: its holder is not known.
#include <string.h>

#include "asyncio.h"

#define MAX_SLOTS 256 // of a frame

static bool is_of(const struct py_code *c, const char *file)
{
    size_t n = c ? strlen(c->file) : 0, end = strlen(file);
    return c && c->runtime && n >= end && strcmp(c->file + n - end, file) == 0;
}

static bool is_of_locks(const struct py_code *c)
{
    return is_of(c, "asyncio/locks.py");
}

// The last part of its qualified name.
static bool is_named(const struct py_code *c, const char *name)
{
    const char *dot = strrchr(c->function, '.');
    return strcmp(dot ? dot + 1 : c->function, name) == 0;
}

static uint64_t slot(struct cpython *py, uint64_t frame, uint64_t i)
{
    return py_pointer(py, frame + py->o.fr_locals + 8 * i) & ~7ull;
}

static uint64_t self_of(struct cpython *py, const struct task_frame *f)
{
    return slot(py, task_frame_base(py, f->object), 0);
}

// A condition lends the methods of its lock.
static uint64_t lock_of(struct cpython *py, uint64_t object)
{
    switch (py_kind_of(py, object)) {
    case PY_LOCK: return object;
    case PY_CONDITION: return py_attribute(py, object, "_lock");
    default: return 0;
    }
}

uint64_t task_waits_in(struct cpython *py, const struct task *t)
{
    if (t->nframes == 0 || t->nframes == TASK_CHAIN || py_kind_of(py, t->waiter) != PY_FUTURE)
        return 0;
    const struct task_frame *last = &t->frames[t->nframes - 1];
    const struct py_code *c = py_code_at(py, last->code);
    return is_of_locks(c) || is_of(c, "asyncio/queues.py") ? self_of(py, last) : 0;
}

uint64_t task_wanted_lock(struct cpython *py, const struct task *t)
{
    if (py_kind_of(py, t->waits_in) != PY_LOCK)
        return 0;
    const struct py_code *c = py_code_at(py, t->frames[t->nframes - 1].code);
    return c && is_named(c, "acquire") ? t->waits_in : 0;
}

// The object whose __aexit__ is in the slot; 0 none. Up to 3.13 a bound method, later the function and, above it, the
// object.
static uint64_t to_be_left(struct cpython *py, uint64_t frame, uint64_t i)
{
    uint64_t value = slot(py, frame, i), object = 0, function = value;
    switch (py_kind_of(py, value)) {
    case PY_METHOD:
        function = py_pointer(py, value + py->o.mt_self - 8);
        object = py_pointer(py, value + py->o.mt_self);
        break;
    case PY_FUNCTION: object = slot(py, frame, i + 1); break;
    default: return 0;
    }
    if (py_kind_of(py, function) != PY_FUNCTION)
        return 0;
    const struct py_code *c = py_code_at(py, py_pointer(py, function + py->o.fn_code));
    return is_of_locks(c) && is_named(c, "__aexit__") ? object : 0;
}

// Is the task at work on the lock itself, below the frame: about to take it, or without it for a while?
static bool is_below(struct cpython *py, const struct task *t, int frame, uint64_t object,
                     uint64_t lock)
{
    for (int i = frame + 1; i < t->nframes; i++) {
        if (!is_of_locks(py_code_at(py, t->frames[i].code)))
            continue;
        uint64_t self = self_of(py, &t->frames[i]);
        if (self == object || self == lock)
            return true;
    }
    return false;
}

int task_held_locks(struct cpython *py, const struct task *t, uint64_t *locks, int max)
{
    int n = 0;
    for (int k = 0; k < t->nframes && t->nframes < TASK_CHAIN; k++) {
        uint64_t frame = task_frame_base(py, t->frames[k].object);
        uint64_t slots = task_frame_slots(py, frame);
        for (uint64_t i = 0; i < slots && i < MAX_SLOTS && n < max; i++) {
            uint64_t object = to_be_left(py, frame, i), lock = object ? lock_of(py, object) : 0;
            if (py_kind_of(py, lock) == PY_LOCK && !is_below(py, t, k, object, lock))
                locks[n++] = lock;
        }
    }
    return n;
}
