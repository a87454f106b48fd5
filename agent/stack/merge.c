// The rules of folding. Between the innermost and the outermost language frame an interpreter's own
// frames are how it goes from one to the next: folded. Inner to the innermost they are what it does for
// that function (JSON parsing, time.sleep): kept when they have a name. Outer they are how the program
// began: kept when they have a name that is not plain glue. Frames of anything else are never folded.
#include "merge.h"

#include <stdio.h>
#include <string.h>

#include "culprit.h"
#include "demangle.h"
#include "lines.h"
#include "perf_map.h"

struct native_frame *name_frames(struct process *p, struct arena *a, const struct unwound *u)
{
    struct native_frame *native = arena_alloc(a, (size_t)(u->n + 1) * sizeof(*native));
    for (int i = 0; i < u->n; i++) {
        const struct raw_frame *f = &u->frames[i];
        struct symbol s;
        native[i] = (struct native_frame){.pc = f->pc,
                                          .sp = f->sp,
                                          .bp = f->bp,
                                          .activation = f->activation,
                                          .jit = f->place.jit};
        struct module *m = f->place.module;
        if (m && !module_symbol_at(m, f->address, &s))
            process_add_debug_file(p, m);
        if (m && module_symbol_at(m, f->address, &s))
            native[i].symbol = s.name;
        if (f->place.mapping && *f->place.mapping->path)
            native[i].module = f->place.mapping->path;
        else if (f->place.module)
            native[i].module = f->place.module->path;
    }
    return native;
}

static enum module_role role_of(struct module *m)
{
    struct symbol s;
    if (!m)
        return ROLE_USER;
    if (m->role < 0) {
        m->role = role_of_path(m->path);
        // Interpreters under other names: electron, an embedded Python.
        if (m->role == ROLE_USER && (module_symbol_named(m, "_PyRuntime", &s) ||
                                     module_symbol_named(m, "v8dbg_off_fp_function", &s)))
            m->role = ROLE_INTERPRETER;
    }
    return (enum module_role)m->role;
}

static bool starts_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static bool starts_with_any(const char *text, const char *const *prefixes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (starts_with(text, prefixes[i]))
            return true;
    return false;
}

// How an interpreter goes from its function to one of C, and back: says nothing to the user.
static bool is_glue(const char *symbol)
{
    static const char *const glue[] = {"Builtins_CEntry",
                                       "Builtins_InterpreterEntryTrampoline",
                                       "Builtins_JSEntry",
                                       "Builtins_Call",
                                       "Builtins_HandleApiCall",
                                       "_ZN2v88internal21Builtin_HandleApiCall",
                                       "_ZN2v88internal25FunctionCallbackArguments",
                                       "_ZN2v88internal12_GLOBAL__N_119HandleApiCallHelper",
                                       "_ZN2v88internal12_GLOBAL__N_16Invoke",
                                       "_ZN2v88internal9Execution",
                                       "_ZN2v88Function4Call",
                                       "_PyEval_",
                                       "PyEval_",
                                       "_PyObject_",
                                       "PyObject_",
                                       "_PyFunction_",
                                       "_PyVectorcall_",
                                       "PyVectorcall_"};
    return starts_with_any(symbol, glue, sizeof(glue) / sizeof(*glue));
}

static bool folds(const struct merge_input *in, int i)
{
    if (in->keep_native || in->nlang == 0 ||
        role_of(in->unwound->frames[i].place.module) != ROLE_INTERPRETER)
        return false;
    int innermost = in->lang[0].at, outermost = in->lang[in->nlang - 1].at;
    const char *symbol = in->native[i].symbol;
    return (i > innermost && i < outermost) || !symbol || is_glue(symbol);
}

static struct frame *add(struct merged *m, struct frame f)
{
    if (m->n == MERGED_FRAMES)
        return NULL;
    m->frames[m->n] = f;
    return &m->frames[m->n++];
}

static void add_jit(const struct merge_input *in, const struct raw_frame *raw, struct frame f,
                    struct merged *ret)
{
    char name[512];
    f.offset = raw->pc;
    process_find_perf_map(in->process);
    if (in->process->perf_map &&
        perf_map_find(in->process->perf_map, raw->address, name, sizeof(name)))
        f.function = arena_strdup(in->arena, name);
    add(ret, f);
}

static bool is_runtime(const struct process *p, const struct raw_frame *raw, const struct frame *f)
{
    if (role_of(raw->place.module) != ROLE_USER || is_runtime_source(f->file))
        return true;
    return f->function && (is_runtime_function(f->function) ||
                           (p->own_runtime && starts_with(f->function, "ls_")));
}

// An interpreter's or a library's own lines are for those who ask: in the evaluation loop of a CPython
// with debug data they cost a millisecond each, and libc's separate file 13 MB.
static int lines_of(const struct merge_input *in, const struct raw_frame *raw,
                    struct source_line *lines)
{
    struct module *m = raw->place.module;
    bool own = role_of(m) == ROLE_USER;
    if (!in->lines || (!own && (!in->keep_native || m->debug_elf)))
        return 0;
    if (own)
        process_add_debug_file(in->process, m);
    return lines_at(m, raw->address, lines);
}

// Inlined calls are frames of their own, innermost first; the last is the function itself.
static void add_native(const struct merge_input *in, int i, struct merged *ret)
{
    const struct raw_frame *raw = &in->unwound->frames[i];
    const struct native_frame *native = &in->native[i];
    struct frame f = {
        .uncertain = raw->how == FOUND_RESCUE, .module = native->module, .offset = raw->address};
    if (!raw->place.module) {
        add_jit(in, raw, f, ret);
        return;
    }
    if (*raw->place.module->build_id)
        f.build_id = raw->place.module->build_id;
    struct source_line lines[LINES_INLINES] = {{NULL, NULL, 0}};
    int n = lines_of(in, raw, lines);
    for (int k = 0; k == 0 || k < n; k++) {
        const char *name = lines[k].function ? lines[k].function : native->symbol;
        f.kind = k < n - 1 ? FRAME_INLINED : FRAME_NATIVE;
        f.function = name ? demangle(in->arena, name) : NULL;
        f.file = lines[k].file;
        f.line = lines[k].line;
        f.runtime = is_runtime(in->process, raw, &f);
        add(ret, f);
    }
}

static void add_gap(const struct merge_input *in, struct merged *ret)
{
    char text[64];
    snprintf(text, sizeof(text), "[%d frames left out]", in->unwound->left_out);
    add(ret, (struct frame){.function = arena_strdup(in->arena, text), .runtime = true});
}

static bool reaches_main(const struct merge_input *in)
{
    const struct unwound *u = in->unwound;
    if (u->complete)
        return true;
    for (int i = u->n; i-- > 0 && u->n - i <= 4;)
        if (in->native[i].symbol && is_start_function(in->native[i].symbol))
            return true;
    return false;
}

void merge(const struct merge_input *in, struct merged *ret)
{
    int next = 0;
    *ret = (struct merged){.frames = arena_alloc(in->arena, MERGED_FRAMES * sizeof(struct frame))};
    for (int i = 0; i < in->unwound->n; i++) {
        if (i == UNWIND_INNER && in->unwound->left_out > 0)
            add_gap(in, ret);
        bool replaced = false;
        for (; next < in->nlang && in->lang[next].at <= i; next++) {
            add(ret, in->lang[next].frame);
            replaced = true;
        }
        if (in->keep_native || (!replaced && !folds(in, i)))
            add_native(in, i, ret);
    }
    for (; next < in->nlang; next++)
        add(ret, in->lang[next].frame);
    mark_runtime(ret->frames, ret->n);
    struct loop_runs runs = find_loop_runs(ret->frames, ret->n);
    ret->loop_runs = runs.count;
    ret->loop_run_index = runs.innermost;
    ret->in_language = is_in_language(ret->frames, ret->n);
    ret->culprit = find_culprit(ret->frames, ret->n);
    ret->to_main = reaches_main(in);
}
