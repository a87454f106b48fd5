// Who waits for a task, who holds it, since when it sleeps.
#include <math.h>
#include <string.h>

#include "asyncio.h"

#define MAX_DEPTH      4
#define MAX_CALLBACKS  16
#define CALLBACKS_DEEP 4 // of a future that another one waits for
#define MAX_CELLS      8
#define MAX_LOCALS     32
#define PARTIAL_ARGS   24 // of functools.partial; the same in all versions
#define IMMORTAL       (1u << 30)

static uint64_t woken_by(struct cpython *py, uint64_t object, int depth);

static uint64_t woken_by_partial(struct cpython *py, uint64_t partial, int depth)
{
    uint64_t args = py_pointer(py, partial + PARTIAL_ARGS);
    uint64_t n = py_kind_of(py, args) == PY_TUPLE ? py_pointer(py, args + py->o.ob_size) : 0;
    for (uint64_t i = 0; i < n && i < 3; i++) {
        uint64_t found = woken_by(py, py_pointer(py, args + py->o.tu_item + 8 * i), depth);
        if (found)
            return found;
    }
    return 0;
}

// gather and wait keep their own future in a closure.
static uint64_t woken_by_function(struct cpython *py, uint64_t function, int depth)
{
    uint64_t closure = py_pointer(py, function + py->o.fn_closure);
    uint64_t n = py_kind_of(py, closure) == PY_TUPLE ? py_pointer(py, closure + py->o.ob_size) : 0;
    for (uint64_t i = 0; i < n && i < MAX_CELLS; i++) {
        uint64_t cell = py_pointer(py, closure + py->o.tu_item + 8 * i);
        uint64_t value = cell ? py_pointer(py, cell + py->o.cell_ref) : 0;
        enum py_kind kind = py_kind_of(py, value);
        uint64_t found = kind == PY_FUTURE || kind == PY_GATHERING ? woken_by(py, value, depth) : 0;
        if (found)
            return found;
    }
    return 0;
}

static uint64_t woken_by_callback(struct cpython *py, uint64_t callback, int depth)
{
    switch (py_kind_of(py, callback)) {
    case PY_TASK_WAKEUP: return woken_by(py, py_pointer(py, callback + 16), depth);
    case PY_CFUNCTION: return woken_by(py, py_pointer(py, callback + py->o.cfn_self), depth);
    case PY_METHOD: { // TaskGroup._on_task_done
        uint64_t self = py_pointer(py, callback + py->o.mt_self);
        uint64_t parent = py_attribute(py, self, "_parent_task");
        return py_kind_of(py, parent) == PY_TASK ? parent : woken_by(py, self, depth);
    }
    case PY_PARTIAL: return woken_by_partial(py, callback, depth);
    case PY_FUNCTION: return woken_by_function(py, callback, depth);
    default: return woken_by(py, callback, depth);
    }
}

static uint64_t woken_by_list(struct cpython *py, uint64_t list, uint64_t max, int depth)
{
    if (py_kind_of(py, list) != PY_LIST)
        return 0;
    uint64_t n = py_pointer(py, list + py->o.ob_size), found = 0;
    uint64_t items = py_pointer(py, list + py->o.ls_item);
    for (uint64_t i = 0; i < n && i < max && !found; i++) {
        uint64_t pair = py_pointer(py, items + 8 * i); // (callback, context)
        found = woken_by_callback(py, py_pointer(py, pair + py->o.tu_item), depth);
    }
    return found;
}

// The first task that is woken when object (a future) completes. shield's outer future has a callback of its own before
// that of who waits for it.
static uint64_t woken_by(struct cpython *py, uint64_t object, int depth)
{
    enum py_kind kind = depth > MAX_DEPTH ? PY_BAD : py_kind_of(py, object);
    if (kind == PY_TASK)
        return object;
    if (kind != PY_FUTURE && kind != PY_GATHERING)
        return 0;
    uint64_t callback = py_pointer(py, object + py->o.t_callback0);
    uint64_t found = callback ? woken_by_callback(py, callback, depth + 1) : 0;
    uint64_t list = found ? 0 : py_pointer(py, object + py->o.t_callbacks);
    return list ? woken_by_list(py, list, CALLBACKS_DEEP, depth + 1) : found;
}

static uint64_t first_of_set(struct cpython *py, uint64_t set)
{
    uint64_t mask = py_pointer(py, set + py->o.set_mask),
             table = py_pointer(py, set + py->o.set_table);
    for (uint64_t i = 0; i <= mask && i < 64; i++) {
        uint64_t key = py_pointer(py, table + 16 * i);
        if (py_kind_of(py, key) == PY_TASK)
            return key;
    }
    return 0;
}

uint64_t task_awaiter(struct cpython *py, const struct task *t)
{
    if (t->awaited_by) { // 3.14+
        if (t->awaited_by_is_set)
            return first_of_set(py, t->awaited_by);
        return py_kind_of(py, t->awaited_by) == PY_TASK ? t->awaited_by
                                                        : woken_by(py, t->awaited_by, 0);
    }
    uint64_t found = t->callback0 ? woken_by_callback(py, t->callback0, 0) : 0;
    return found ? found : woken_by_list(py, t->callbacks, MAX_CALLBACKS, 0);
}

uint64_t task_frame_base(struct cpython *py, uint64_t object)
{
    return py->o.version < 0x030b ? py_pointer(py, object + py->o.gi_frame)
                                  : object + py->o.gi_frame;
}

// Locals and stack in use: above its top lie pointers of values that were there a moment ago, which hold nothing. The
// future that is awaited has just been one of them.
uint64_t task_frame_slots(struct cpython *py, uint64_t frame)
{
    uint64_t locals = frame + py->o.fr_locals;
    uint32_t depth = 0;
    if (py->o.version >= 0x030e)
        return (py_pointer(py, frame + py->o.fr_stacktop) - locals) / 8;
    if (py->o.fr_valuestack >= 0 && py->o.fr_state < 0) // 3.9: the top itself
        return (py_pointer(py, frame + py->o.fr_stacktop) - locals) / 8;
    if (!mem_u32(py->m, frame + py->o.fr_stacktop, &depth))
        return 0;
    if (py->o.fr_valuestack >= 0)
        return depth + (py_pointer(py, frame + py->o.fr_valuestack) - locals) / 8;
    return depth;
}

static int64_t count_in_locals(struct cpython *py, uint64_t object, uint64_t value)
{
    uint64_t frame = task_frame_base(py, object), slots = task_frame_slots(py, frame);
    int64_t n = 0;
    for (uint64_t i = 0; i < MAX_LOCALS && i < slots; i++)
        n += (py_pointer(py, frame + py->o.fr_locals + 8 * i) & ~7ull) == value;
    return n;
}

// Subtracts from the reference counts what the wait itself accounts for: the future holds the task
// by its wakeup callback, the task holds the future and so do the end of its chain and its
// innermost frame. If nothing is left of the task's count only the future holds it; if nothing is
// left of the future's either, both are a cycle that the next collection destroys.
enum task_hold task_hold(struct cpython *py, const struct task *t)
{
    uint32_t refs;
    if (t->state || !t->waiter || py_kind_of(py, t->waiter) != PY_FUTURE)
        return TASK_HELD;
    if (!mem_u32(py->m, t->waiter, &refs) || refs >= IMMORTAL)
        return TASK_HELD;
    int64_t task = t->refs, future = refs;
    uint64_t callback = py_pointer(py, t->waiter + py->o.t_callback0);
    enum py_kind kind = py_kind_of(py, callback);
    if (kind == PY_CFUNCTION && py_pointer(py, callback + py->o.cfn_self) == t->address)
        task--;
    if (kind == PY_TASK_WAKEUP && py_pointer(py, callback + 16) == t->address)
        task--;
    if (py->o.t_awaited_by >= 0 && py_pointer(py, t->waiter + py->o.t_awaited_by) == t->address)
        task--;
    future -= 1 + (t->leaf == t->waiter);
    if (t->nframes)
        future -= count_in_locals(py, t->frames[t->nframes - 1].object, t->waiter);
    return task > 0 ? TASK_HELD : future > 0 ? TASK_UNHELD : TASK_GARBAGE;
}

// The time of the loop at which the handle fires: its only float.
static double timer_when(struct cpython *py, uint64_t handle)
{
    double when;
    for (int i = 16; i < 120; i += 8) {
        uint64_t value = py_pointer(py, handle + i);
        if (py_kind_of(py, value) == PY_FLOAT && py_number(py, value, &when))
            return when;
    }
    return NAN;
}

static bool is_sleep(struct cpython *py, const struct task_frame *f)
{
    const struct py_code *c = py_code_at(py, f->code);
    return c && !strcmp(c->function, "sleep") && strstr(c->file, "asyncio/tasks.py");
}

// sleep(delay, result=None): local 0 is the delay, the timer's handle is one of the following.
int64_t task_sleep_since(struct cpython *py, const struct task *t)
{
    double delay, when = NAN;
    if (!t->nframes || !is_sleep(py, &t->frames[t->nframes - 1]))
        return INT64_MIN;
    uint64_t locals = task_frame_base(py, t->frames[t->nframes - 1].object) + py->o.fr_locals;
    if (!py_number(py, py_pointer(py, locals) & ~7ull, &delay))
        return INT64_MIN;
    for (int i = 1; i < MAX_LOCALS && isnan(when); i++) {
        uint64_t value = py_pointer(py, locals + 8 * (uint64_t)i) & ~7ull;
        if (py_kind_of(py, value) == PY_TIMER_HANDLE)
            when = timer_when(py, value);
    }
    double start = when - delay;
    return start > 0 && start < 9e9 ? (int64_t)(start * 1e9) : INT64_MIN;
}
