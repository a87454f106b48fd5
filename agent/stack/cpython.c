// Python frames in place of the interpreter's own: attach, and the merge of one thread's native
// frames with the Python frames that they execute.
//
// How the two lists are matched: each native call of the interpreter's loop executes a run of
// Python frames that ends at the one which entered it. From 3.10 on that entry names an address
// among the call's locals (cpython_frame.c), so the native frame that spans it is the one, even
// where the symbol table has no name for a split-off part of the loop. Before, and where that
// fails, the k-th run belongs to the k-th frame of _PyEval_EvalFrameDefault. Frames of C extensions
// between them keep their places. A thread that ran on after its stack was copied shows by entries
// outside the copied frames or by unequal counts: uncertain.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "cpython.h"

#define MAX_FRAMES      512
#define PLAUSIBLE_TRIES 16

void py_begin(struct cpython *py, struct mem *m)
{
    py->m = m;
    py->walk++;
    py->out_count = 0;
}

static void detach(void *self)
{
    struct cpython *py = self;
    asyncio_free(py->asyncio);
    py_codes_free(py);
    free(py->out);
    free(py);
}

static uint64_t find_runtime(const struct lang_process *p)
{
    static const char *const modules[] = {"libpython", "python"};
    for (int i = 0; i < 2; i++) {
        uint64_t size, at = p->symbol(p->arg, modules[i], "_PyRuntime");
        if (!at)
            at = p->section(p->arg, modules[i], ".PyRuntime", &size);
        if (at)
            return at;
    }
    return 0;
}

static uint32_t version_by_path(const struct lang_process *p)
{
    uint64_t start, end, code = p->symbol(p->arg, "python", "_PyEval_EvalFrameDefault");
    bool exec;
    const char *path = NULL;
    if (!code || !p->mapping(p->arg, code, &start, &end, &exec, &path) || !path)
        return 0;
    const char *name = strrchr(path, '/');
    name = strstr(name ? name : path, "python3.");
    return name ? 0x03000000u | (uint32_t)atoi(name + 8) << 16 : 0;
}

// 0x030b02f0 for 3.11.2: from the debug offsets (3.13+), a variable (3.11+) or the name of the
// library.
static uint32_t find_version(const struct lang_process *p, struct mem *m, uint64_t runtime)
{
    char cookie[8];
    uint32_t version = 0;
    if (mem_read(m, runtime, cookie, 8) && !memcmp(cookie, "xdebugpy", 8) &&
        mem_u32(m, runtime + 8, &version))
        return version;
    uint64_t at = p->symbol(p->arg, "python", "Py_Version");
    if (at && mem_u32(m, at, &version))
        return version;
    return version_by_path(p);
}

static const struct cpython_offsets *row_of(uint32_t version)
{
    for (int i = 0; i < cpython_offsets_count; i++)
        if (cpython_offsets[i].version == (int)(version >> 16))
            return &cpython_offsets[i];
    return NULL;
}

static void override(int16_t *field, uint64_t value)
{
    if (value < 32768)
        *field = (int16_t)value;
}

// The head of _PyRuntime from 3.13 on names its own offsets. The groups' order and length are fixed
// within a minor version; only what a patch release may move (the large structs) is taken from
// them.
static void apply_debug_offsets(struct cpython *py)
{
    uint64_t w[64];
    if (py->o.version < 0x030d || !mem_read(py->m, py->runtime + 16, w, sizeof w))
        return;
    bool later = py->o.version >= 0x030e; // 3.14 added threads_main before gc
    const uint64_t *interpreter = w + 4, *thread = interpreter + (later ? 16 : 13);
    override(&py->o.rt_interp_head, w[3]);
    override(&py->o.is_next, interpreter[2]);
    override(&py->o.is_threads, interpreter[3]);
    override(&py->o.is_modules, interpreter[later ? 6 : 5]);
    override(&py->o.is_gil, interpreter[later ? 9 : 8]);
    override(&py->o.ts_next, thread[2]);
    override(&py->o.ts_frame, thread[4]);
    if (py->o.version < 0x030f)
        override(&py->o.ts_native_id, thread[6]);
}

// Offsets are right if the first thread's frames lead to code objects, or there is no frame yet. A
// running thread's frames may be torn when they are looked at, so it gets several chances.
static bool is_plausible(struct cpython *py)
{
    struct py_frame frames[64];
    uint64_t interpreter = py_pointer(py, py->runtime + py->o.rt_interp_head);
    uint64_t thread = interpreter ? py_pointer(py, interpreter + py->o.is_threads) : 0;
    for (int i = 0; thread && i < PLAUSIBLE_TRIES && !mem_spent(py->m); i++) {
        bool torn = false;
        mem_forget(py->m);
        int n = py_thread_frames(py, thread, frames, 64, &torn);
        if (n > 0 || !torn)
            return true;
    }
    return false;
}

static void *attach(const struct lang_process *p, struct mem *m, char *note, char *version)
{
    uint64_t runtime = find_runtime(p);
    if (!runtime)
        return NULL;
    uint32_t number = find_version(p, m, runtime);
    unsigned major = number >> 24, minor = number >> 16 & 255;
    if (number & 0xffff)
        snprintf(version, 32, "%u.%u.%u", major, minor, number >> 8 & 255);
    else
        snprintf(version, 32, "%u.%u", major, minor);
    const struct cpython_offsets *row = row_of(number);
    if (!row) {
        snprintf(note, 160, "CPython %u.%u is not known: native frames only", major, minor);
        return NULL;
    }
    uint64_t free_threaded = 0;
    if (row->version >= 0x030d && mem_u64(m, runtime + 16, &free_threaded) && free_threaded) {
        snprintf(note, 160, "CPython %s without a GIL is not known: native frames only", version);
        return NULL;
    }
    struct cpython *py = calloc(1, sizeof *py);
    if (!py)
        return NULL;
    py->o = *row;
    py->runtime = runtime;
    py->process = *p;
    py_begin(py, m);
    apply_debug_offsets(py);
    if (!is_plausible(py)) {
        snprintf(note, 160, "CPython %s does not look like %u.%u inside: native frames only",
                 version, major, minor);
        detach(py);
        return NULL;
    }
    return py;
}

static bool has_prefix(const char *text, const char *prefix)
{
    return text && !strncmp(text, prefix, strlen(prefix));
}

static bool is_eval(const struct native_frame *f)
{
    return has_prefix(f->symbol, "_PyEval_EvalFrameDefault") ||
           has_prefix(f->symbol, "_TAIL_CALL_");
}

// One frame out; NULL code: nothing.
static void emit(struct cpython *py, int at, const struct py_frame *f, bool uncertain)
{
    const struct py_code *c = py_code_at(py, f->code);
    if (!c || !list_room(py->out, py->out_count, py->out_capacity))
        return;
    struct frame frame = {
        .function = c->function,
        .file = c->file,
        .module = c->file,
        .line = py_line(py, c, f->instr),
        .kind = FRAME_PYTHON,
        .uncertain = uncertain,
        .runtime = c->runtime,
    };
    py->out[py->out_count++] = (struct lang_frame){at, frame};
}

// Below the leaf is where the thread has gone since: -1. Beyond a list that ends early counts as
// its end.
static int spanning(const struct native_frame *native, int n, uint64_t address)
{
    if (!n || address < native[0].sp)
        return -1;
    for (int i = 0; i + 1 < n; i++)
        if (address < native[i + 1].sp)
            return i;
    return n - 1;
}

static int next_eval(const struct native_frame *native, int n, int from)
{
    for (int i = from; i < n; i++)
        if (is_eval(&native[i]))
            return i;
    return -1;
}

// The native frame that executes the run which begins (leaf side) at frames[i]; -1: cannot be told.
static int native_of_run(const struct native_frame *native, int n, const struct py_frame *frames,
                         int nframes, int i, int from)
{
    while (i + 1 < nframes && !frames[i].entry)
        i++;
    if (frames[i].anchor)
        return spanning(native, n, frames[i].anchor);
    return next_eval(native, n, from);
}

static void merge(struct cpython *py, const struct native_frame *native, int n,
                  const struct py_frame *frames, int nframes, bool *torn)
{
    int at = 0, last = -1;
    for (int i = 0; i < nframes; i++) {
        if (i == 0 || frames[i - 1].entry) {
            at = native_of_run(native, n, frames, nframes, i, last + 1);
            *torn |= at < 0;
        }
        int place = at > last ? at : last >= 0 ? last : at >= 0 ? at : n - 1;
        emit(py, place, &frames[i], at < 0);
        if (frames[i].entry && at > last)
            last = at;
    }
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}

// Whether the thread is inside what the program called, and not in the wait of its own loop: up to
// the loop's run function there is more than the selector. (uvloop's loop is native.)
static bool is_in_program(const struct cpython *py, const struct native_frame *native, int n)
{
    int loop = n;
    for (int i = n - 1; i >= 0; i--)
        if (has_prefix(native[i].symbol, "uv_run"))
            loop = i;
    for (int i = 0; i < py->out_count && py->out[i].at < loop; i++) {
        const struct frame *f = &py->out[i].frame;
        if (f->runtime && ends_with(f->function, "_run_once"))
            return false;
        if (!f->runtime || !ends_with(f->file, "selectors.py"))
            return true;
    }
    return false;
}

static bool collects_garbage(const struct native_frame *frames, int n)
{
    static const char *const names[] = {"gc_collect_",           "_PyGC_Collect",
                                        "PyGC_Collect",          "_Py_RunGC",
                                        "collect_with_callback", "collect_generations"};
    for (int i = 0; i < n; i++) {
        if (is_eval(&frames[i]))
            return false;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (has_prefix(frames[i].symbol, names[k]))
                return true;
    }
    return false;
}

static void take(void *self, const struct taken_frame *frames, int n)
{
    struct cpython *py = self;
    py->ntaken = n < 0 ? 0 : n > TAKEN_FRAMES ? TAKEN_FRAMES : n;
    memcpy(py->taken, frames, sizeof *frames * (size_t)py->ntaken);
}

static int use_taken(struct cpython *py, struct py_frame *frames)
{
    int n = 0;
    for (int i = 0; i < py->ntaken; i++) {
        uint64_t code = py->o.version >= 0x030d ? py->taken[i].code & ~7ull : py->taken[i].code;
        if (py_code_at(py, code))
            frames[n++] = (struct py_frame){.code = code, .instr = py->taken[i].instr};
    }
    py->ntaken = 0;
    return n;
}

static struct frame_place place_of(const struct cpython *py, uint64_t thread)
{
    // Up to 3.10 the position is a number in another place of another struct: not worth a program.
    if (py->o.version < 0x030b)
        return (struct frame_place){0};
    return (struct frame_place){
        .thread = thread,
        .cframe = py->o.ts_cframe,
        .frame = py->o.ts_frame,
        .current = py->o.cf_current,
        .previous = py->o.fr_previous,
        .code = py->o.fr_code,
        .instr = py->o.fr_instr,
    };
}

static void walk(void *self, struct mem *m, int tid, const struct native_frame *native, int n,
                 struct lang_result *ret)
{
    struct cpython *py = self;
    struct py_frame frames[MAX_FRAMES];
    *ret = (struct lang_result){0};
    py_begin(py, m);
    uint64_t thread = n ? py_thread_of(py, tid, native[0].sp) : 0;
    if (!thread)
        return;
    ret->place = place_of(py, thread);
    bool taken = py->ntaken > 0;
    int nframes = taken ? use_taken(py, frames)
                        : py_thread_frames(py, thread, frames, MAX_FRAMES, &ret->torn);
    merge(py, native, n, frames, nframes, &ret->torn);
    ret->frames = py->out;
    ret->nframes = py->out_count;
    ret->in_language = is_in_program(py, native, n);
    ret->gc = collects_garbage(native, n);
    ret->lock = py_waits_for_gil(py, native, n) ? "GIL" : NULL;
    uint64_t task = taken ? 0 : asyncio_running(py, thread, frames, nframes);
    if (task)
        asyncio_task_ref(py, task, &ret->task);
    if (ret->lock) // last: it looks at the process anew
        ret->holder = py_gil_holder(py, thread);
}

const struct lang cpython_lang = {
    .name = "CPython",
    .kind = FRAME_PYTHON,
    .attach = attach,
    .detach = detach,
    .walk = walk,
    .take = take,
    .tasks = asyncio_tasks,
};
