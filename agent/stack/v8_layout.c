// Where V8's fields lie. V8 exports many of them as v8dbg_* constants for debuggers; their names
// change with the types of V8's own source, so each has its spellings here. What is not exported is
// known for the versions that were looked at, and checked by the types of what the fields lead to.
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "v8.h"

#define NONE INT32_MIN // a constant that must be exported

struct constant {
    size_t field; // of struct v8_layout
    int fallback;
    const char *names[3];
};

#define AT(name) offsetof(struct v8_layout, name)

static const struct constant constants[] = {
    {AT(fp_context), -8, {"off_fp_context"}},
    {AT(fp_function), NONE, {"off_fp_function"}},
    {AT(fp_bytecode_array), -32, {"off_fp_bytecode_array"}},
    {AT(fp_bytecode_offset), -40, {"off_fp_bytecode_offset"}},
    {AT(map_type), 12, {"class_Map__instance_type__uint16_t"}},
    {AT(function_shared), NONE, {"class_JSFunction__shared__SharedFunctionInfo"}},
    {AT(sfi_data), 8, {"class_SharedFunctionInfo__function_data__Object"}},
    {AT(sfi_name_or_scope),
     NONE,
     {"class_SharedFunctionInfo__name_or_scope_info__Object",
      "class_SharedFunctionInfo__name_or_scope_info__Tagged_NameOrScopeInfoT_",
      "class_SharedFunctionInfo__name_or_scope_info__Tagged_Object_"}},
    {AT(sfi_script),
     NONE,
     {"class_SharedFunctionInfo__script_or_debug_info__HeapObject",
      "class_SharedFunctionInfo__script__Tagged_HeapObject_",
      "class_SharedFunctionInfo__raw_script__Tagged_Object_"}},
    {AT(script_name), 16, {"class_Script__name__Object"}},
    {AT(script_source), 8, {"class_Script__source__Object"}},
    {AT(string_length), 12, {"class_String__length__int32_t"}},
    {AT(string_chars), 16, {"class_SeqOneByteString__chars__char"}},
    {AT(cons_first), 16, {"class_ConsString__first__String"}},
    {AT(cons_second), 24, {"class_ConsString__second__String"}},
    {AT(thin_actual), 16, {"class_ThinString__actual__String"}},
    {AT(sliced_parent), 16, {"class_SlicedString__parent__String"}},
    {AT(sliced_offset), 24, {"class_SlicedString__offset__SMI"}},
    {AT(scope_first_vars), 3, {"scopeinfo_idx_first_vars"}},
    {AT(uncompiled_inferred), 8, {"class_UncompiledData__inferred_name__String"}},
    {AT(bytecode_data), NONE, {"class_BytecodeArray__data__uintptr_t"}},
    {AT(array_length), 8, {"class_FixedArrayBase__length__SMI"}},
    {AT(array_data), 16, {"class_FixedArray__data__uintptr_t"}},
    {AT(code_start), 40, {"class_Code__instruction_start__Address"}},
    {AT(code_flags), 48, {"class_Code__flags__uint32_t"}},
    {AT(deopt_literals), 2, {"DeoptimizationDataLiteralArrayIndex"}},
    {AT(deopt_inlined_count), 1, {"DeoptimizationDataInlinedFunctionCountIndex"}},
    {AT(deopt_inlinings), 7, {"DeoptimizationDataInliningPositionsIndex"}},
    {AT(frame_builtin_exit), -1, {"frametype_BuiltinExitFrame"}},
    {AT(kind_baseline), 11, {"CodeKindBaseline"}},
    {AT(kind_mask), 15, {"CodeKindFieldMask"}},
    {AT(type_sfi), NONE, {"type_SharedFunctionInfo__SHARED_FUNCTION_INFO_TYPE"}},
    {AT(type_scope), NONE, {"type_ScopeInfo__SCOPE_INFO_TYPE"}},
    {AT(type_script), NONE, {"type_Script__SCRIPT_TYPE"}},
    {AT(type_bytecode), NONE, {"type_BytecodeArray__BYTECODE_ARRAY_TYPE"}},
    {AT(type_code), NONE, {"type_Code__CODE_TYPE"}},
    {AT(type_first_context), NONE, {"FirstContextType"}},
    {AT(type_last_context), NONE, {"LastContextType"}},
    {AT(type_uncompiled_first),
     NONE,
     {"type_UncompiledDataWithPreparseData__UNCOMPILED_DATA_WITH_PREPARSE_DATA_TYPE"}},
    {AT(type_uncompiled_last),
     NONE,
     {"type_UncompiledDataWithoutPreparseDataWithJob__UNCOMPILED_DATA_WITHOUT_PREPARSE_DATA_WITH_"
      "JOB_TYPE"}},
};

struct reader {
    const struct lang_process *p;
    struct mem *m;
    const char *module;
};

static bool read_constant(const struct reader *r, const char *name, int *ret)
{
    char full[160];
    uint32_t value;
    snprintf(full, sizeof full, "v8dbg_%s", name);
    uint64_t at = r->p->symbol(r->p->arg, r->module, full);
    if (!at || !mem_u32(r->m, at, &value))
        return false;
    *ret = (int)value;
    return true;
}

static bool read_constants(const struct reader *r, struct v8_layout *l)
{
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        const struct constant *c = &constants[i];
        int value = c->fallback;
        for (int k = 0; k < 3 && c->names[k]; k++)
            if (read_constant(r, c->names[k], &value))
                break;
        if (value == NONE)
            return false;
        *(int *)((char *)l + c->field) = value;
    }
    return true;
}

// What the constants do not say, by version.
static void read_code_layout(const struct reader *r, struct v8_layout *l)
{
    int wrapper;
    l->has_trusted =
        read_constant(r, "class_BytecodeArray__wrapper__Tagged_BytecodeWrapper_", &wrapper);
    l->bytecode_positions = l->has_trusted ? 24 : 32;
    l->external_data = 24;
    l->script_line_offset = 24;
    l->type_stream = l->type_code;
    l->deopt_sfi = 6;
    if (l->version < 1100) { // instructions follow the Code object itself
        l->code_deopt = 16;
        l->code_positions = 24;
        l->code_size = 40;
        l->code_start = 0;
        if (!read_constant(r, "class_Code__instruction_start__uintptr_t", &l->stream_start))
            l->stream_start = 128;
        return;
    }
    l->stream_code = 8;
    l->code_deopt = l->has_trusted ? 8 : 16;
    l->code_positions = l->has_trusted ? 16 : 24;
    if (!read_constant(r, "class_Code__instruction_size__int", &l->code_size))
        l->code_size = 56;
    if (!read_constant(r, "class_InstructionStream__instruction_start__uintptr_t",
                       &l->stream_start))
        l->stream_start = 16;
    read_constant(r, "type_InstructionStream__INSTRUCTION_STREAM_TYPE", &l->type_stream);
    if (!read_constant(r, "DeoptimizationDataSharedFunctionInfoIndex", &l->deopt_sfi))
        read_constant(r, "DeoptimizationDataWrappedSharedFunctionInfoIndex", &l->deopt_sfi);
}

// V8's table of bytecode lengths: three rows, for operands of 1, 2 and 4 bytes. How many columns it
// has follows from that rule: what the second row adds to the first, the third adds twice more.
static int count_bytecodes(const uint8_t *t, int max)
{
    for (int n = max / 3; n > 150; n--) {
        int i = 0;
        while (i < n && t[i] >= 1 && t[n + i] >= t[i] &&
               t[2 * n + i] - t[n + i] == 2 * (t[n + i] - t[i]))
            i++;
        if (i == n)
            return n;
    }
    return 0;
}

enum { MOST_SIZES = 3 * 256, SEARCH_STEP = 1 << 20 };

// A stripped V8 has no name for its table. It begins with the prefixes and the debugger's bytecodes, of 0 to 4
// operands, in all versions.
static bool find_bytecode_sizes(const struct reader *r, uint8_t *table)
{
    static const uint8_t begin[] = {1, 1, 1, 1, 1, 2, 3, 4, 5};
    uint64_t size, at = r->p->section(r->p->arg, "libnode", ".rodata", &size), end;
    if (!at)
        at = r->p->section(r->p->arg, "node", ".rodata", &size);
    end = at + size;
    uint8_t *bytes = at ? malloc(SEARCH_STEP + MOST_SIZES) : NULL;
    bool found = false;
    for (; bytes && !found && at + MOST_SIZES < end; at += SEARCH_STEP) {
        size_t n = end - at < SEARCH_STEP + MOST_SIZES ? end - at : SEARCH_STEP + MOST_SIZES;
        mem_prefetch(r->m, &at, 1, n);
        if (!mem_read(r->m, at, bytes, n))
            break;
        const uint8_t *from = bytes, *hit;
        while (!found && (hit = memmem(from, n - (size_t)(from - bytes), begin, sizeof begin)) &&
               n - (size_t)(hit - bytes) >= MOST_SIZES) {
            found = count_bytecodes(hit, MOST_SIZES) > 0;
            memcpy(table, hit, MOST_SIZES);
            from = hit + 1;
        }
        mem_forget(r->m);
    }
    free(bytes);
    return found;
}

static void read_bytecode_sizes(const struct reader *r, struct v8 *v)
{
    uint8_t table[MOST_SIZES];
    uint64_t at = r->p->symbol(r->p->arg, r->module,
                               "_ZN2v88internal11interpreter9Bytecodes14kBytecodeSizesE");
    if (at ? !mem_read(r->m, at, table, sizeof table) : !find_bytecode_sizes(r, table))
        return;
    v->l.bytecodes = count_bytecodes(table, MOST_SIZES);
    v->bytecode_sizes = v->l.bytecodes ? malloc(3 * v->l.bytecodes) : NULL;
    if (v->bytecode_sizes)
        memcpy(v->bytecode_sizes, table, 3 * v->l.bytecodes);
}

static int read_number(const struct reader *r, const char *symbol)
{
    uint32_t value = 0;
    uint64_t at = r->p->symbol(r->p->arg, r->module, symbol);
    if (at)
        mem_u32(r->m, at, &value);
    return (int)value;
}

bool v8_read_layout(struct v8 *v, const struct lang_process *p, char *note, char *version)
{
    struct reader r = {p, v->m, "node"};
    static const char major_name[] = "_ZN2v88internal7Version6major_E";
    if (!p->symbol(p->arg, r.module, major_name)) {
        r.module = NULL; // another program that embeds V8
        if (!p->symbol(p->arg, NULL, major_name))
            return false;
    }
    int major = read_number(&r, major_name);
    int minor = read_number(&r, "_ZN2v88internal7Version6minor_E");
    int build = read_number(&r, "_ZN2v88internal7Version6build_E");
    if (major <= 0 || major > 1000 || minor < 0 || minor > 99) // 0: not readable, not a version
        return false;
    snprintf(version, 32, "%d.%d.%d", major, minor, build);
    v->l.version = major * 100 + minor;
    v->process = *p;
    if (v->l.version < 1002 || v->l.version > 1306) {
        snprintf(note, 160, "V8 %d.%d is not known: native frames only", major, minor);
        return false;
    }
    if (!read_constants(&r, &v->l)) {
        snprintf(note, 160, "V8 %d.%d without v8dbg constants: native frames only", major, minor);
        return false;
    }
    read_code_layout(&r, &v->l);
    read_bytecode_sizes(&r, v);
    v8_find_builtin_names(v, r.module);
    v8_find_collector(v, r.module);
    return true;
}
