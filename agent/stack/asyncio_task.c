// One asyncio task: its object, its chain, its names.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asyncio.h"
#include "words.h"

#define MAX_STEPS (3 * TASK_CHAIN)

// An int, or from 3.13 on a bit of a byte.
static bool flag_at(const uint8_t *bytes, int offset, int bit)
{
    return bit >= 0 ? bytes[offset] >> bit & 1 : at32(bytes, offset) != 0;
}

static bool read_object(struct cpython *py, uint64_t address, struct task *t)
{
    uint8_t b[TASK_BYTES];
    const struct cpython_offsets *o = &py->o;
    if (address & 7 || !mem_read(py->m, address, b, o->t_size))
        return false;
    *t = (struct task){
        .address = address,
        .refs = (uint32_t)at64(b, 0),
        .type = at64(b, 8),
        .coroutine = at64(b, o->t_coro),
        .waiter = at64(b, o->t_waiter),
        .callback0 = at64(b, o->t_callback0),
        .callbacks = at64(b, o->t_callbacks),
        .exception = at64(b, o->t_exception),
        .name = at64(b, o->t_name),
        .state = at32(b, o->t_state),
        .must_cancel = flag_at(b, o->t_must_cancel, o->t_must_cancel_bit),
        .log_tb = flag_at(b, o->t_log_tb, o->t_log_tb_bit),
        .cancels = o->t_cancels >= 0 ? at32(b, o->t_cancels) : 0,
        .awaited_by = o->t_awaited_by >= 0 ? at64(b, o->t_awaited_by) : 0,
        .awaited_by_is_set = o->t_awaited_by_set >= 0 && b[o->t_awaited_by_set],
        .frame_state = PY_ENDED,
    };
    const struct py_type *type = py_type_at(py, t->type);
    return type && type->kind == PY_TASK && t->refs && t->refs < 1u << 30 && t->state >= 0 &&
           t->state <= 2;
}

static bool is_future(enum py_kind kind)
{
    return kind == PY_TASK || kind == PY_FUTURE || kind == PY_GATHERING;
}

static bool read_chain(struct cpython *py, struct task *t)
{
    uint64_t object = t->coroutine;
    bool first = true;
    for (int i = 0; object && i < MAX_STEPS; i++) {
        struct task_frame f;
        enum py_frame_state state;
        uint64_t next;
        enum py_kind kind = py_kind_of(py, object);
        if (kind == PY_BAD)
            return false;
        if (kind == PY_FUTURE_ITER || is_future(kind)) {
            t->leaf = kind == PY_FUTURE_ITER ? py_pointer(py, object + py->o.fi_future) : object;
            return true;
        }
        bool has_frame = task_step(py, object, &f, &state, &next);
        if (has_frame && t->nframes < TASK_CHAIN)
            t->frames[t->nframes++] = f;
        if (has_frame && first)
            t->frame_state = state;
        first = false;
        if (!has_frame && !next)
            t->leaf = object;
        if (next == object)
            return false;
        object = next;
    }
    return true;
}

bool task_read(struct cpython *py, uint64_t address, struct task *t)
{
    return read_object(py, address, t) && read_chain(py, t);
}

static uint64_t mix(uint64_t hash, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i + 8 <= n; i += 8)
        hash = (hash ^ at64(bytes, (int)i)) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 29;
}

// The reference count may move without a change of the task; everything else that is shown may not.
// 0 means that something could not be read.
uint64_t task_fingerprint(struct cpython *py, const struct task *t)
{
    uint8_t b[TASK_BYTES];
    uint64_t hash = 1;
    if (!mem_read(py->m, t->address, b, py->o.t_size))
        return 0;
    // The node that links a task to its neighbours changes with those.
    hash = mix(hash, b + 8, (py->o.t_node >= 0 ? py->o.t_node : py->o.t_size) - 8);
    for (int i = 0; i < t->nframes; i++) {
        struct task_frame f;
        enum py_frame_state state = PY_ENDED;
        uint64_t shown[4] = {0};
        if (!task_step(py, t->frames[i].object, &f, &state, &shown[0]))
            return 0;
        shown[1] = f.code;
        shown[2] = f.instr;
        shown[3] = (uint64_t)state << 32 | f.kind;
        hash = mix(hash, (const uint8_t *)shown, sizeof shown);
    }
    char name[PY_NAME_MAX + 8] = {0}; // hashed in whole words
    int64_t number;
    task_name(py, t, name, sizeof name, &number);
    hash = mix(hash, (const uint8_t *)name, (strlen(name) + 7) / 8 * 8);
    return hash | 1;
}

// A str, or an int n that means "Task-n": newer versions make the text when it is asked for.
void task_name(struct cpython *py, const struct task *t, char *buf, size_t n, int64_t *number)
{
    *buf = 0;
    *number = -1;
    if (py_int(py, t->name, number)) {
        snprintf(buf, n, "Task-%ld", (long)*number);
        return;
    }
    if (!py_string(py, t->name, buf, n))
        return;
    char *end;
    if (!strncmp(buf, "Task-", 5) && buf[5] >= '0' && buf[5] <= '9') {
        long v = strtol(buf + 5, &end, 10);
        if (!*end)
            *number = v;
    }
}

const struct py_code *task_code(struct cpython *py, uint64_t coroutine)
{
    struct task_frame f;
    enum py_frame_state state;
    uint64_t next;
    task_step(py, coroutine, &f, &state, &next);
    return f.code ? py_code_at(py, f.code) : NULL;
}

const char *task_coroutine_name(struct cpython *py, uint64_t coroutine, const struct py_code *code,
                                char *buf, size_t n)
{
    if (code && py->o.co_qualname >= 0)
        return code->function;
    enum py_kind kind = py_kind_of(py, coroutine);
    if (kind != PY_COROUTINE && kind != PY_GENERATOR)
        return NULL;
    return py_string(py, py_pointer(py, coroutine + py->o.gi_qualname), buf, n) ? buf : NULL;
}
