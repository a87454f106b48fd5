// Threads of the interpreter and the Python frames they execute.
//
// One native call of the interpreter's loop runs a whole chain of Python frames; where it began is
// marked by the version: up to 3.10 each Python frame is a call of its own; in 3.11 the first frame
// has is_entry; from 3.12 on a frame without code that lies on the C stack (owner C stack or
// interpreter) follows it.
#include "cpython.h"
#include "words.h"

#define MAX_THREADS      4096
#define MAX_INTERPRETERS 64
#define STACK_REACH      (64ull << 20)
#define GLIBC_TID        720 // of struct pthread, which pthread_t points to; checked by its value

enum { OWNER_CSTACK = 3 }; // 3 and more from 3.12 on: no code of the program

static uint64_t top_frame(struct cpython *py, uint64_t thread)
{
    if (py->o.cf_current < 0)
        return py_pointer(py, thread + py->o.ts_frame);
    uint64_t cframe = py_pointer(py, thread + py->o.ts_cframe);
    return cframe ? py_pointer(py, cframe + py->o.cf_current) : 0;
}

static bool is_thread(struct cpython *py, uint64_t thread, int tid)
{
    if (py->o.ts_native_id >= 0)
        return py_long_word(py, thread + py->o.ts_native_id) == tid;
    uint64_t pthread = py_pointer(py, thread + py->o.ts_thread_id);
    return pthread && py_word32(py, pthread + GLIBC_TID) == tid;
}

// In a pid namespace the interpreter knows another number than we do: then the C stack tells, on
// which the frames of the interpreter's entries lie.
static bool uses_stack(struct cpython *py, uint64_t thread, uint64_t low)
{
    uint64_t high = low + STACK_REACH;
    if (py->o.ts_cframe >= 0) {
        uint64_t cframe = py_pointer(py, thread + py->o.ts_cframe);
        return cframe >= low && cframe < high;
    }
    uint64_t frame = top_frame(py, thread);
    for (int i = 0; frame && i < 256; i++) {
        if (frame >= low && frame < high)
            return true;
        frame = py_pointer(py, frame + py->o.fr_previous);
    }
    return false;
}

static uint64_t find_thread(struct cpython *py, int tid, uint64_t stack_low)
{
    uint64_t interpreter = py_pointer(py, py->runtime + py->o.rt_interp_head);
    int threads = 0;
    for (int i = 0; interpreter && i < MAX_INTERPRETERS; i++) {
        uint64_t thread = py_pointer(py, interpreter + py->o.is_threads);
        for (; thread && threads < MAX_THREADS && !mem_spent(py->m); threads++) {
            if (stack_low ? uses_stack(py, thread, stack_low) : is_thread(py, thread, tid)) {
                py->interpreter = interpreter;
                return thread;
            }
            thread = py_pointer(py, thread + py->o.ts_next);
        }
        interpreter = py_pointer(py, interpreter + py->o.is_next);
    }
    return 0;
}

uint64_t py_thread_of(struct cpython *py, int tid, uint64_t stack_low)
{
    uint64_t thread = find_thread(py, tid, 0);
    return thread || !stack_low ? thread : find_thread(py, tid, stack_low);
}

static bool is_shim(struct cpython *py, const uint8_t *bytes)
{
    return py->o.version >= 0x030c && bytes[py->o.fr_owner] >= OWNER_CSTACK;
}

static uint64_t instruction_of(struct cpython *py, const uint8_t *bytes)
{
    if (py->o.version >= 0x030b)
        return at64(bytes, py->o.fr_instr);
    return (uint64_t)(int64_t)at32(bytes, py->o.fr_instr);
}

// What the walk over one thread's frames remembers.
struct chain {
    struct py_frame *frames;
    int n;
    uint64_t cframe;
};

static void end_run(struct cpython *py, struct chain *c, uint64_t shim)
{
    if (!c->n)
        return;
    struct py_frame *last = &c->frames[c->n - 1];
    if (last->entry) // 3.15 has a second one behind it, at the thread's base
        return;
    last->entry = true;
    last->anchor = shim;
    if (!shim && c->cframe) {
        last->anchor = c->cframe;
        c->cframe = py_pointer(py, c->cframe + py->o.cf_previous);
    }
}

static bool begins_run(struct cpython *py, const uint8_t *bytes)
{
    return py->o.version < 0x030b || (py->o.fr_is_entry >= 0 && bytes[py->o.fr_is_entry]);
}

// false: what lies there is no frame.
static bool add_frame(struct cpython *py, struct chain *c, uint64_t frame, const uint8_t *b)
{
    uint64_t code = at64(b, py->o.fr_code);
    if (py->o.version >= 0x030d)
        code &= ~7ull; // tagged from 3.14 on
    if (is_shim(py, b)) {
        end_run(py, c, frame);
        return true;
    }
    if (!py_code_at(py, code))
        return py->o.version >= 0x030d; // from 3.13 on other callables have frames too
    c->frames[c->n++] =
        (struct py_frame){.address = frame, .code = code, .instr = instruction_of(py, b)};
    if (begins_run(py, b))
        end_run(py, c, 0);
    return true;
}

int py_thread_frames(struct cpython *py, uint64_t thread, struct py_frame *frames, int max,
                     bool *torn)
{
    struct chain c = {.frames = frames};
    if (py->o.ts_cframe >= 0 && py->o.version < 0x030c)
        c.cframe = py_pointer(py, thread + py->o.ts_cframe);
    uint64_t frame = top_frame(py, thread);
    for (int steps = 0; frame; steps++) {
        uint8_t b[128];
        if (c.n == max || steps > 4 * max || !mem_read(py->m, frame, b, sizeof b) ||
            !add_frame(py, &c, frame, b) || at64(b, py->o.fr_previous) == frame) {
            *torn = true;
            break;
        }
        frame = at64(b, py->o.fr_previous);
    }
    if (c.n && !frames[c.n - 1].entry)
        end_run(py, &c, 0);
    return c.n;
}
