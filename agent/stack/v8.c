// JavaScript frames in place of V8's own.
//
// A native frame is V8's when its pc lies in just-in-time code or in a builtin. Its rbp then points to one of
// V8's standard frames: a JavaScript frame holds a Context at fp-8 and the JSFunction at fp-16; a frame of
// another kind holds a small number at fp-8. Both are checked by the types of what they lead to, so a frame
// without a symbol can be tried as well. What the program executes follows from the kind of code:
//   interpreted  the bytecode array at fp-32 and the offset at fp-40, and the array's source position table
//   baseline     the same array; the offset from the pc by a table of the code object
//   optimised    the code object's source position table, with inlining
//   builtin      the function has no script; its name comes from the symbol
// Frame slots are read from the stack copy, objects from the live heap; the collector may have moved them
// since: what fails a type check is left out, never guessed.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "v8.h"

#define TEXTS        (16 * 1024)
#define MAX_PLACES   24
#define CALLER_REACH 4096 // how far a frame's own part of the stack is searched

static void emit(struct v8 *v, int at, const struct frame *f)
{
    if (list_room(v->out, v->out_count, v->out_capacity))
        v->out[v->out_count++] = (struct lang_frame){at, *f};
}

static const char *keep(struct v8 *v, const char *text)
{
    size_t n = strlen(text) + 1;
    if (n > TEXTS - v->texts_used)
        return NULL;
    char *copy = v->texts + v->texts_used;
    memcpy(copy, text, n);
    v->texts_used += n;
    return copy;
}

static void emit_place(struct v8 *v, int at, const struct v8_place *p)
{
    const struct v8_function *f = v8_function_at(v, p->shared);
    const struct v8_script *s = f && f->script ? v8_script_at(v, f->script) : NULL;
    if (!s)
        return;
    bool here = p->position >= 0;
    struct frame frame = {
        .function = f->name,
        .file = s->file,
        .module = s->file,
        .line = v8_line(s, here ? p->position : f->start),
        .kind = FRAME_JAVASCRIPT,
        .uncertain = p->uncertain || !here, // not the line where it is but the one where it begins
        .runtime = s->file && !strncmp(s->file, "node:", 5),
    };
    emit(v, at, &frame);
}

// Through an exit frame a builtin is seen a second time: by its own C++ function first. NULL: it is not.
static struct frame *just_out(const struct v8 *v, const char *builtin)
{
    struct frame *last = v->out_count ? &v->out[v->out_count - 1].frame : NULL;
    bool is = last && !last->file && last->runtime && v8_same_method(last->function, builtin);
    return is ? last : NULL;
}

// own: the name that the function itself has; NULL unknown.
static void emit_builtin(struct v8 *v, int at, const char *builtin, const char *own)
{
    char name[128];
    const char *text = own;
    if (builtin && v8_builtin_name(builtin, name, sizeof name)) {
        v8_spell_method(name, own);
        text = keep(v, name);
        struct frame *seen = text ? just_out(v, name) : NULL;
        if (seen) {
            seen->function = text;
            return;
        }
    }
    if (!text)
        return;
    struct frame frame = {
        .function = text, .module = "V8", .kind = FRAME_JAVASCRIPT, .runtime = true};
    emit(v, at, &frame);
}

static bool is_context(struct v8 *v, uint64_t object)
{
    int type = v8_type(v, object);
    return type >= v->l.type_first_context && type <= v->l.type_last_context;
}

// The SharedFunctionInfo of the JavaScript frame at fp; 0: there is none.
static uint64_t frame_function(struct v8 *v, uint64_t fp)
{
    uint64_t context, function;
    if (!fp || fp & 7 || !mem_u64(v->m, fp + v->l.fp_context, &context) ||
        !mem_u64(v->m, fp + v->l.fp_function, &function) || !is_context(v, context))
        return 0;
    uint64_t shared = v8_field(v, function, v->l.function_shared);
    return v8_type(v, shared) == v->l.type_sfi ? shared : 0;
}

static uint64_t frame_bytecodes(struct v8 *v, uint64_t fp)
{
    uint64_t bytecodes;
    return mem_u64(v->m, fp + v->l.fp_bytecode_array, &bytecodes) &&
                   v8_type(v, bytecodes) == v->l.type_bytecode
               ? bytecodes
               : 0;
}

// Source position of an interpreted frame: the slot counts from the array's tagged address.
static int interpreted_position(struct v8 *v, uint64_t fp)
{
    uint64_t bytecodes = frame_bytecodes(v, fp), slot;
    if (!bytecodes || !mem_u64(v->m, fp + v->l.fp_bytecode_offset, &slot) || !v8_is_smi(slot))
        return -1;
    int offset = v8_smi(slot) - (v->l.bytecode_data - 1);
    return offset >= 0 ? v8_bytecode_position(v, bytecodes, offset) : -1;
}

static int baseline_position(struct v8 *v, const struct v8_code *c, uint64_t fp, uint64_t pc)
{
    uint64_t bytecodes = frame_bytecodes(v, fp);
    int offset = bytecodes ? v8_baseline_offset(v, c, bytecodes, pc) : -1;
    return offset >= 0 ? v8_bytecode_position(v, bytecodes, offset) : -1;
}

static void walk_optimized(struct v8 *v, int at, uint64_t pc, bool exact, const struct v8_code *c)
{
    struct v8_place places[MAX_PLACES];
    int n = v8_optimized_places(v, c, pc, exact, places, MAX_PLACES);
    for (int i = 0; i < n; i++)
        emit_place(v, at, &places[i]);
}

static bool is_jit(struct v8 *v, uint64_t address)
{
    uint64_t start, end;
    bool exec;
    const char *path = NULL;
    return v->process.mapping(v->process.arg, address, &start, &end, &exec, &path) && exec &&
           (!path || !strncmp(path, "[anon", 5));
}

// A builtin without a frame of its own runs on the frame of the generated code that called it: the
// return address into that code is the first one above sp.
static bool calling_code(struct v8 *v, const struct native_frame *f, struct v8_code *code,
                         uint64_t *pc)
{
    uint64_t end = f->bp - 16, word;
    if (f->bp < f->sp || f->bp - f->sp > CALLER_REACH)
        return false;
    for (uint64_t at = f->sp & ~7ull; at < end && mem_u64(v->m, at, &word); at += 8)
        if (word > MEM_PAGE && !(word >> 47) && is_jit(v, word) && v8_code_of(v, word - 1, code)) {
            *pc = word;
            return true;
        }
    return false;
}

// A frame of the standard layout: interpreted, baseline, or a builtin of JavaScript linkage.
static bool walk_standard(struct v8 *v, int at, const struct native_frame *f,
                          const struct v8_code *c)
{
    uint64_t shared = frame_function(v, f->bp);
    const struct v8_function *function = shared ? v8_function_at(v, shared) : NULL;
    if (!function)
        return false;
    if (!function->script) {
        char builtin[96];
        bool named = v8_builtin_of_symbol(f->symbol, builtin, sizeof builtin) ||
                     v8_builtin_of_function(v, shared, builtin, sizeof builtin);
        emit_builtin(v, at, named ? builtin : NULL, function->name);
        return true;
    }
    struct v8_place place = {shared, -1, false};
    struct v8_code caller;
    uint64_t pc = f->pc - (f->activation ? 0 : 1);
    if (!c || c->kind == V8_CODE_OTHER) // its own copy of the interpreter's entry, for profilers
        place.position = interpreted_position(v, f->bp);
    if (place.position < 0 && !c && calling_code(v, f, &caller, &pc)) {
        if (caller.kind == V8_CODE_OPTIMIZED) {
            walk_optimized(v, at, pc, false, &caller);
            return true;
        }
        c = &caller;
        pc--;
    }
    if (c && c->kind == V8_CODE_BASELINE)
        place.position = baseline_position(v, c, f->bp, pc);
    emit_place(v, at, &place);
    return true;
}

static bool is_v8_module(const char *module)
{
    const char *name = module ? strrchr(module, '/') : NULL;
    return name && strstr(name, "node");
}

// Only where V8's standard frames can be: its builtins, its generated code, or code that nothing
// names.
static bool may_be_javascript(const struct native_frame *f)
{
    if (f->jit)
        return true;
    return f->symbol ? !strncmp(f->symbol, "Builtins_", 9) : is_v8_module(f->module);
}

// *last_fp: the frame seen last; a leaf without a frame of its own shows its caller's.
static void walk_frame(struct v8 *v, int at, const struct native_frame *f, uint64_t *last_fp)
{
    struct v8_code code;
    char builtin[96];
    if (!f->jit && f->symbol && strncmp(f->symbol, "Builtins_", 9) != 0 &&
        v8_builtin_of_symbol(f->symbol, builtin, sizeof builtin)) {
        emit_builtin(v, at, builtin, NULL);
        return;
    }
    if (!may_be_javascript(f))
        return;
    bool known = f->jit && v8_code_of(v, f->pc - (f->activation ? 0 : 1), &code);
    if (known && code.kind == V8_CODE_REGEXP) {
        emit_builtin(v, at, NULL, "(regular expression)");
        return;
    }
    if (known && code.kind == V8_CODE_OPTIMIZED) {
        if (!f->bp || f->bp != *last_fp)
            walk_optimized(v, at, f->pc, f->activation, &code);
        *last_fp = f->bp;
        return;
    }
    if (f->bp == *last_fp)
        return;
    uint64_t called = f->jit ? 0 : v8_exit_function(v, f->bp);
    if (called && v8_builtin_of_function(v, called, builtin, sizeof builtin)) {
        const struct v8_function *function = v8_function_at(v, called);
        emit_builtin(v, at, builtin, function ? function->name : NULL);
    } else if (!walk_standard(v, at, f, known ? &code : NULL))
        return;
    *last_fp = f->bp;
}

// It has no name where there are no symbols: ours is the innermost frame then.
static void add_collector(struct v8 *v, int at)
{
    int before = v->out_count;
    emit_builtin(v, at, NULL, "(garbage collector)");
    if (!before || v->out_count == before)
        return;
    struct lang_frame collector = v->out[v->out_count - 1];
    memmove(v->out + 1, v->out, (size_t)(v->out_count - 1) * sizeof *v->out);
    v->out[0] = collector;
}

static void walk(void *self, struct mem *m, int tid, const struct native_frame *frames, int n,
                 struct lang_result *ret)
{
    struct v8 *v = self;
    uint64_t last_fp = 0;
    (void)tid;
    *ret = (struct lang_result){0};
    v->m = m;
    v->walk++;
    v->out_count = 0;
    v->texts_used = 0;
    for (int i = 0; i < n && !mem_spent(m); i++)
        walk_frame(v, i, &frames[i], &last_fp);
    int collector = v8_collector_frame(v, frames, v->out_count ? v->out[0].at : n);
    ret->torn = mem_spent(m);
    ret->gc = collector >= 0;
    ret->in_language = v->out_count > 0;
    if (ret->gc && !frames[collector].symbol)
        add_collector(v, collector);
    ret->frames = v->out;
    ret->nframes = v->out_count;
}

static void detach(void *self)
{
    struct v8 *v = self;
    v8_caches_free(v);
    free(v->bytecode_sizes);
    free(v->out);
    free(v->texts);
    free(v);
}

static void *attach(const struct lang_process *p, struct mem *m, char *note, char *version)
{
    struct v8 *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->m = m;
    v->texts = malloc(TEXTS);
    if (v->texts && v8_read_layout(v, p, note, version))
        return v;
    detach(v);
    return NULL;
}

const struct lang v8_lang = {
    .name = "V8",
    .kind = FRAME_JAVASCRIPT,
    .attach = attach,
    .detach = detach,
    .walk = walk,
};
