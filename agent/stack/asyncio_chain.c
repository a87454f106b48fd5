// Await chains: from a task's coroutine through the coroutines, generators and async generators it
// awaits down to the future at the end. What a suspended frame awaits lies on top of its value
// stack.
#include <string.h>

#include "asyncio.h"
#include "words.h"

// The state words, by version.
static enum py_frame_state state_of(struct cpython *py, int8_t word)
{
    if (py->o.version >= 0x030f)
        return word == 0   ? PY_CREATED
               : word == 1 ? PY_SUSPENDED
               : word <= 3 ? PY_YIELD_FROM // 3: the same, locked
               : word == 4 ? PY_EXECUTING
                           : PY_ENDED;
    if (py->o.version >= 0x030d)
        return word == -3   ? PY_CREATED
               : word == -2 ? PY_SUSPENDED
               : word == -1 ? PY_YIELD_FROM
               : word == 0  ? PY_EXECUTING
                            : PY_ENDED;
    return word == -2   ? PY_CREATED
           : word == -1 ? PY_SUSPENDED
           : word == 0  ? PY_EXECUTING
                        : PY_ENDED;
}

// Up to 3.10 the frame is an object of its own. 3.9 has no state: a value stack means suspended.
static bool step_frame_object(struct cpython *py, uint64_t frame, struct task_frame *f,
                              enum py_frame_state *state, uint64_t *next)
{
    uint8_t b[128];
    *state = PY_ENDED;
    *next = 0;
    if (!frame || !mem_read(py->m, frame, b, sizeof b))
        return false;
    f->code = at64(b, py->o.fr_code);
    int32_t last = at32(b, py->o.fr_instr);
    f->instr = (uint64_t)(int64_t)last;
    uint64_t stack = at64(b, py->o.fr_valuestack);
    if (py->o.fr_state >= 0) {
        int depth = at32(b, py->o.fr_stacktop);
        *state = state_of(py, (int8_t)b[py->o.fr_state]);
        if (*state == PY_SUSPENDED && depth > 0 && depth < 4096)
            *next = py_pointer(py, stack + 8 * (uint64_t)(depth - 1));
        return true;
    }
    uint64_t top = at64(b, py->o.fr_stacktop);
    *state = last < 0 ? PY_CREATED : top ? PY_SUSPENDED : PY_EXECUTING;
    if (*state == PY_SUSPENDED && top > stack && top < stack + 8 * 4096)
        *next = py_pointer(py, top - 8);
    return true;
}

// 3.11, 3.12: a generator that yields to its caller has something else on top; the RESUME
// instruction behind tells by the low bits of its argument: 2 yield from, 3 await.
static bool awaits_here(struct cpython *py, enum py_kind kind, uint64_t instr)
{
    uint8_t unit[2];
    if (kind == PY_COROUTINE)
        return true;
    return mem_read(py->m, instr + 2, unit, sizeof unit) && (unit[1] & 3) >= 2;
}

static uint64_t top_of_stack(struct cpython *py, uint64_t object, const uint8_t *frame,
                             const struct task_frame *f, enum py_frame_state state)
{
    if (py->o.version >= 0x030d && state != PY_YIELD_FROM)
        return 0;
    if (py->o.version >= 0x030e) {
        uint64_t top = at64(frame, py->o.fr_stacktop);
        return py_pointer(py, top - (py->o.version >= 0x030f ? 16 : 8)) & ~7ull;
    }
    int depth = at32(frame, py->o.fr_stacktop);
    if (depth <= 0 || depth > 4096)
        return 0;
    if (py->o.version < 0x030d && !awaits_here(py, f->kind, f->instr))
        return 0;
    return py_pointer(py, object + py->o.gi_frame + py->o.fr_locals + 8 * (uint64_t)(depth - 1));
}

static bool step_embedded(struct cpython *py, uint64_t object, struct task_frame *f,
                          enum py_frame_state *state, uint64_t *next)
{
    uint8_t b[192];
    *state = PY_ENDED;
    *next = 0;
    if (!mem_read(py->m, object, b, sizeof b))
        return false;
    const uint8_t *frame = b + py->o.gi_frame;
    *state = state_of(py, (int8_t)b[py->o.gi_state]);
    f->code = at64(frame, py->o.fr_code) & ~7ull; // stays when the frame has ended
    f->instr = at64(frame, py->o.fr_instr);
    if (*state == PY_ENDED || py_kind_of(py, f->code) != PY_CODE)
        return false;
    if (*state == PY_SUSPENDED || *state == PY_YIELD_FROM)
        *next = top_of_stack(py, object, frame, f, *state);
    return true;
}

bool task_step(struct cpython *py, uint64_t object, struct task_frame *f,
               enum py_frame_state *state, uint64_t *next)
{
    enum py_kind kind = py_kind_of(py, object);
    *f = (struct task_frame){.object = object, .kind = kind};
    *next = 0;
    switch (kind) {
    case PY_COROUTINE_WRAPPER: *next = py_pointer(py, object + py->o.cw_coroutine); return false;
    case PY_ASEND: *next = py_pointer(py, object + py->o.ags_gen); return false;
    case PY_ATHROW: *next = py_pointer(py, object + py->o.agt_gen); return false;
    case PY_ANEXT: *next = py_pointer(py, object + 16); return false;
    case PY_COROUTINE:
    case PY_GENERATOR:
    case PY_ASYNC_GENERATOR: break;
    default: return false;
    }
    if (py->o.version < 0x030b)
        return step_frame_object(py, py_pointer(py, object + py->o.gi_frame), f, state, next);
    return step_embedded(py, object, f, state, next);
}

uint64_t task_frame_address(struct cpython *py, uint64_t coroutine)
{
    if (py_kind_of(py, coroutine) != PY_COROUTINE)
        return 0;
    return py->o.version < 0x030b ? py_pointer(py, coroutine + py->o.gi_frame)
                                  : coroutine + py->o.gi_frame;
}
