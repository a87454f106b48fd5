// V8 from outside, within agent/stack: what its files share. Everything here reads through the
// walk's struct mem. A tagged value is a uint64_t as the target holds it (heap objects end in 01,
// weak ones in 11, small integers have a clear low half); 0 is "none or unreadable".
#ifndef LOOPSCOPE_STACK_V8_H
#define LOOPSCOPE_STACK_V8_H

#include "lang.h"

#define V8_NAME_MAX 300 // bytes of a name or path that are kept

// Offsets are V8's own, from the object's start (the tag is taken off by the readers).
struct v8_layout {
    int version; // major * 100 + minor
    int fp_context, fp_function, fp_bytecode_array, fp_bytecode_offset;
    int map_type;
    int function_shared;
    int sfi_data, sfi_name_or_scope, sfi_script;
    int script_name, script_source, script_line_offset;
    int string_length, string_chars, external_data, cons_first, cons_second, thin_actual,
        sliced_parent, sliced_offset;
    int scope_first_vars; // index after the map
    int uncompiled_inferred;
    int bytecode_data, bytecode_positions;
    int array_length, array_data;
    int code_deopt, code_positions, code_start, code_flags, code_size;
    int stream_code;  // from the InstructionStream to its Code; 0: they are one (before V8 11)
    int stream_start; // from the object to its first instruction
    int deopt_literals, deopt_inlined_count, deopt_inlinings, deopt_sfi;
    bool deopt_sfi_wrapped, has_trusted;
    int kind_baseline, kind_mask;
    int frame_builtin_exit; // the kind of frame through which C++ builtins are called; -1 unknown
    // instance types
    int type_sfi, type_scope, type_script, type_bytecode, type_code, type_stream,
        type_first_context, type_last_context, type_uncompiled_first, type_uncompiled_last;
    uint64_t bytecode_sizes; // address of V8's table; 0 none
    int bytecodes;           // its columns
};

struct v8_script { // cached by address
    uint64_t address, name_address, source_address;
    char *file;
    uint32_t *line_ends; // offsets behind each line end; NULL: no source
    int nlines;
    int line_offset;
    unsigned walk;
};

struct v8_function { // a SharedFunctionInfo, cached by address
    uint64_t address, name_or_scope, script_address;
    char *name;      // never empty
    int start;       // source position; -1 unknown
    uint64_t script; // 0: a function of V8 itself
    unsigned walk;
};

#define V8_SCRIPTS   256
#define V8_FUNCTIONS 2048
#define V8_COLLECTOR 16

struct v8 {
    struct v8_layout l;
    struct lang_process process; // as at attach; valid until detach
    struct mem *m;
    unsigned walk;
    uint64_t stream_map; // of the code object found last: lets the search compare words only
    struct v8_script *scripts[V8_SCRIPTS];
    struct v8_function *functions[V8_FUNCTIONS];
    uint8_t *bytecode_sizes; // 3 rows of l.bytecodes
    uint64_t builtin_names;  // V8's table of its builtins; 0: not found
    struct code_range
        collector[V8_COLLECTOR]; // functions of the collector, where symbols do not tell
    int ncollector;
    struct lang_frame *out;
    int out_count, out_capacity;
    char *texts; // pool for names made in this walk
    size_t texts_used;
};

// Objects.
uint64_t v8_field(struct v8 *v, uint64_t object, int offset); // a tagged field; 0 when it fails
int v8_type(struct v8 *v, uint64_t object);                   // instance type; -1 none
bool v8_is_smi(uint64_t value);
int32_t v8_smi(uint64_t value);
bool v8_is_string(struct v8 *v, uint64_t object);
bool v8_string(struct v8 *v, uint64_t string, char *buf, size_t n); // UTF-8
int v8_array_length(struct v8 *v, uint64_t array);                  // -1: none
// malloc'd copy of a byte array; NULL when empty, too long or unreadable.
uint8_t *v8_bytes(struct v8 *v, uint64_t array, size_t *n);

// Functions and scripts; the results live until the next walk.
const struct v8_function *v8_function_at(struct v8 *v, uint64_t shared);
const struct v8_script *v8_script_at(struct v8 *v, uint64_t script);
int v8_line(const struct v8_script *s, int position); // 0 unknown
uint32_t *v8_line_ends(struct v8 *v, uint64_t source, int *count);
void v8_caches_free(struct v8 *v);

// Code.
enum v8_code_kind { V8_CODE_OTHER, V8_CODE_REGEXP, V8_CODE_BASELINE, V8_CODE_OPTIMIZED };

struct v8_code {
    uint64_t object; // tagged
    uint64_t start;
    uint32_t size;
    enum v8_code_kind kind;
};

// A place in a script, within possibly inlined code: innermost first.
struct v8_place {
    uint64_t shared; // tagged SharedFunctionInfo
    int position;    // -1 unknown
    bool uncertain;
};

bool v8_code_of(struct v8 *v, uint64_t pc, struct v8_code *ret);
// Source positions of optimised code at pc; exact: pc is not a return address.
int v8_optimized_places(struct v8 *v, const struct v8_code *c, uint64_t pc, bool exact,
                        struct v8_place *places, int max);
// Whether the first call behind offset `from` of the code is the one that returns to offset `to`.
bool v8_is_first_call(struct v8 *v, const struct v8_code *c, uint32_t from, uint32_t to);
// Bytecode offset of baseline code at pc; -1 unknown.
int v8_baseline_offset(struct v8 *v, const struct v8_code *c, uint64_t bytecodes, uint64_t pc);
// The source position of a bytecode offset; -1 unknown.
int v8_bytecode_position(struct v8 *v, uint64_t bytecodes, int offset);

// Zig-zag variable-length integers, as in V8's tables. *at moves behind; false: the end.
bool v8_vlq(const uint8_t *bytes, size_t n, size_t *at, int64_t *ret);

// Names of V8's own functions: "JSON.parse" for JsonParse. false: not one that a program calls.
bool v8_builtin_name(const char *builtin, char *buf, size_t n);
// V8's own name of a method may differ from the language's in case and by "Intl": toJson, localeCompareIntl.
// Puts the function's own name (NULL: none) in its place.
void v8_spell_method(char *method, const char *own);
bool v8_same_method(const char *a, const char *b);
// The builtin that a symbol of the executable implements, e.g. "JsonParse"; false: none.
bool v8_builtin_of_symbol(const char *symbol, char *buf, size_t n);
// The same, by what the function holds; shared: of a function without a script.
bool v8_builtin_of_function(struct v8 *v, uint64_t shared, char *buf, size_t n);
bool v8_builtin_by_number(struct v8 *v, int32_t number, char *buf, size_t n);
void v8_find_builtin_names(struct v8 *v, const char *module);
// The SharedFunctionInfo of the C++ builtin that is called through the frame at fp; 0: it is not such a frame.
uint64_t v8_exit_function(struct v8 *v, uint64_t fp);

// Which of the frames, which lie between the leaf and the innermost JavaScript frame, is the collector's; -1: none.
int v8_collector_frame(const struct v8 *v, const struct native_frame *frames, int n);
void v8_find_collector(struct v8 *v, const char *module);

// Reads the layout; false: not a V8 we can read (note says so when there is one).
bool v8_read_layout(struct v8 *v, const struct lang_process *p, char *note, char *version);

#endif
