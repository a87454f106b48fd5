// Builtins of a V8 without symbols. A function that V8 itself brings holds the number of its builtin in place of
// compiled code; V8's own table names them by number, for its profiler and its snapshot. Frames through which
// generated code calls one written in C++ (JSON.parse) hold the function called.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "v8.h"

#define ENTRY_BYTES  24 // name, kind and what the kind needs
#define MAX_BUILTINS 8192
#define SEARCH_STEP  (256 * 1024)
#define EXIT_FUNCTION                                                                              \
    24 // from the frame pointer: return address, new target, function, argument count
#define EXIT_COUNT 32

static bool is_identifier(const char *text)
{
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_')
            return false;
    return isalpha((unsigned char)*text);
}

bool v8_builtin_by_number(struct v8 *v, int32_t number, char *buf, size_t n)
{
    uint64_t name;
    return v->builtin_names && number >= 0 && number < MAX_BUILTINS &&
           mem_u64(v->m, v->builtin_names + ENTRY_BYTES * (uint64_t)number, &name) && name &&
           mem_string(v->m, name, buf, n) && is_identifier(buf);
}

static uint64_t find_word(const uint64_t *words, size_t n, uint64_t word, uint64_t address)
{
    for (size_t i = 0; i < n; i++)
        if (words[i] == word)
            return address + 8 * i;
    return 0;
}

static uint64_t find_in_section(struct v8 *v, const char *module, const char *name, uint64_t word)
{
    const struct lang_process *p = &v->process;
    uint64_t size, at = p->section(p->arg, module, name, &size), found = 0;
    uint64_t *words = at ? malloc(SEARCH_STEP) : NULL;
    for (uint64_t end = at + size; words && at < end && !found; at += SEARCH_STEP) {
        size_t n = end - at < SEARCH_STEP ? end - at : SEARCH_STEP;
        mem_prefetch(v->m, &at, 1, n);
        if (!mem_read(v->m, at, words, n))
            break;
        found = find_word(words, n / 8, word, at);
        mem_forget(v->m);
    }
    free(words);
    return found;
}

// The table begins with this builtin in V8 10 to 13; the loader has put the names' addresses in.
void v8_find_builtin_names(struct v8 *v, const char *module)
{
    const char *const modules[] = {"libnode", module};
    static const char *const sections[] = {".data.rel.ro", ".data"};
    const struct lang_process *p = &v->process;
    v->builtin_names =
        p->symbol(p->arg, module, "_ZN2v88internal12_GLOBAL__N_1L16builtin_metadataE");
    uint64_t first = v->builtin_names ? 0 : p->text(p->arg, module, "DeoptimizationEntry_Eager");
    for (int i = 0; i < 4 && first && !v->builtin_names; i++)
        v->builtin_names = find_in_section(v, modules[i / 2], sections[i % 2], first);
}

// A builtin's number lies in the field before the name, whatever the version calls that field.
bool v8_builtin_of_function(struct v8 *v, uint64_t shared, char *buf, size_t n)
{
    uint64_t data = v8_field(v, shared, v->l.sfi_name_or_scope - 8);
    return data && v8_is_smi(data) && v8_builtin_by_number(v, v8_smi(data), buf, n);
}

uint64_t v8_exit_function(struct v8 *v, uint64_t fp)
{
    uint64_t kind, function, count;
    if (!fp || fp & 7 || v->l.frame_builtin_exit < 0 ||
        !mem_u64(v->m, fp + v->l.fp_context, &kind) ||
        kind != 2 * (uint64_t)v->l.frame_builtin_exit ||
        !mem_u64(v->m, fp + EXIT_FUNCTION, &function) || !mem_u64(v->m, fp + EXIT_COUNT, &count) ||
        !v8_is_smi(count))
        return 0;
    uint64_t shared = v8_field(v, function, v->l.function_shared);
    return v8_type(v, shared) == v->l.type_sfi ? shared : 0;
}
