// Functions and scripts: names, files, lines. Both are cached by address and proven by the pointers they
// hold: the collector moves objects, so an address alone says nothing.
#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "v8.h"

#define MAX_SCOPE_LOCALS 75 // more names than that lie in a table of their own, of one word

// ScopeInfo's flags, the same from V8 10 to 13: bits 12 and 13 say where the function's own name
// lies (0: it has none), bit 14 that an inferred name follows.
static bool has_function_name(uint32_t flags)
{
    return flags >> 12 & 3;
}

static bool has_inferred_name(uint32_t flags)
{
    return flags >> 14 & 1;
}

static bool has_saved_class_variable(uint32_t flags)
{
    return flags >> 10 & 1;
}

struct scope {
    uint64_t name, inferred; // 0 none
    int start;
};

static bool is_position_pair(uint64_t start, uint64_t end)
{
    return v8_is_smi(start) && v8_is_smi(end) && v8_smi(start) >= 0 && v8_smi(end) > v8_smi(start);
}

// Flags, parameter count, number of locals, (from V8 13: start, end,) names, infos, [class
// variable], [name, slot], [inferred name], (before V8 13: start, end), ...
static void read_scope(struct v8 *v, uint64_t info, struct scope *s)
{
    bool early_positions = v->l.scope_first_vars >= 5;
    uint64_t flags = v8_field(v, info, 8);
    uint32_t bits = early_positions ? (uint32_t)flags : (uint32_t)(flags >> 32);
    int locals = v8_smi(v8_field(v, info, 24));
    *s = (struct scope){.start = -1};
    if (locals < 0 || locals > 1 << 20)
        return;
    int at = 8 + 8 * (v->l.scope_first_vars + locals + (locals < MAX_SCOPE_LOCALS ? locals : 1));
    if (early_positions && is_position_pair(v8_field(v, info, 32), v8_field(v, info, 40)))
        s->start = v8_smi(v8_field(v, info, 32));
    if (has_saved_class_variable(bits))
        at += 8;
    if (has_function_name(bits)) {
        s->name = v8_field(v, info, at);
        at += 16;
    }
    if (has_inferred_name(bits)) {
        s->inferred = v8_field(v, info, at);
        at += 8;
    }
    if (!early_positions && is_position_pair(v8_field(v, info, at), v8_field(v, info, at + 8)))
        s->start = v8_smi(v8_field(v, info, at));
}

static uint64_t uncompiled_name(struct v8 *v, uint64_t shared)
{
    uint64_t data = v8_field(v, shared, v->l.sfi_data);
    int type = v8_type(v, data);
    bool is = type >= v->l.type_uncompiled_first && type <= v->l.type_uncompiled_last;
    return is ? v8_field(v, data, v->l.uncompiled_inferred) : 0;
}

static char *name_of(struct v8 *v, uint64_t shared, uint64_t name_or_scope, int *start)
{
    char text[V8_NAME_MAX];
    struct scope s = {.start = -1};
    if (v8_type(v, name_or_scope) == v->l.type_scope)
        read_scope(v, name_or_scope, &s);
    else
        s.name = name_or_scope;
    *start = s.start;
    if (!v8_string(v, s.name, text, sizeof text) && !v8_string(v, s.inferred, text, sizeof text) &&
        !v8_string(v, uncompiled_name(v, shared), text, sizeof text))
        strcpy(text, "(anonymous)");
    return strdup(text);
}

// The script field may hold DebugInfo instead, which holds the script.
static uint64_t script_of(struct v8 *v, uint64_t shared)
{
    uint64_t script = v8_field(v, shared, v->l.sfi_script);
    if (v8_type(v, script) == v->l.type_script)
        return script;
    for (int i = 8; v8_type(v, script) > 128 && i < 64; i += 8) {
        uint64_t inner = v8_field(v, script, i);
        if (v8_type(v, inner) == v->l.type_script)
            return inner;
    }
    return 0;
}

static void free_function(struct v8_function *f)
{
    if (f)
        free(f->name);
    free(f);
}

static void free_script(struct v8_script *s)
{
    if (s) {
        free(s->file);
        free(s->line_ends);
    }
    free(s);
}

void v8_caches_free(struct v8 *v)
{
    for (int i = 0; i < V8_FUNCTIONS; i++)
        free_function(v->functions[i]);
    for (int i = 0; i < V8_SCRIPTS; i++)
        free_script(v->scripts[i]);
}

static size_t slot_hash(uint64_t address)
{
    return (address >> 3) * 0x9e3779b97f4a7c15ull >> 40;
}

// The object's slot, or one that this walk has not handed out.
static struct v8_function **function_slot(struct v8 *v, uint64_t address)
{
    struct v8_function **free_slot = NULL;
    for (size_t i = 0; i < 8; i++) {
        struct v8_function **slot = &v->functions[(slot_hash(address) + i) % V8_FUNCTIONS];
        if (*slot && (*slot)->address == address)
            return slot;
        if (!free_slot && (!*slot || (*slot)->walk != v->walk))
            free_slot = slot;
    }
    return free_slot;
}

static struct v8_script **script_slot(struct v8 *v, uint64_t address)
{
    struct v8_script **free_slot = NULL;
    for (size_t i = 0; i < 8; i++) {
        struct v8_script **slot = &v->scripts[(slot_hash(address) + i) % V8_SCRIPTS];
        if (*slot && (*slot)->address == address)
            return slot;
        if (!free_slot && (!*slot || (*slot)->walk != v->walk))
            free_slot = slot;
    }
    return free_slot;
}

const struct v8_function *v8_function_at(struct v8 *v, uint64_t shared)
{
    struct v8_function **slot = function_slot(v, shared);
    if (slot && *slot && (*slot)->address == shared && (*slot)->walk == v->walk)
        return *slot;
    if (!slot || v8_type(v, shared) != v->l.type_sfi)
        return NULL;
    uint64_t name = v8_field(v, shared, v->l.sfi_name_or_scope);
    uint64_t script = v8_field(v, shared, v->l.sfi_script);
    struct v8_function *f = *slot;
    if (!f || f->address != shared || f->name_or_scope != name || f->script_address != script) {
        struct v8_function *fresh = calloc(1, sizeof *fresh);
        if (!fresh)
            return NULL;
        fresh->address = shared;
        fresh->name_or_scope = name;
        fresh->script_address = script;
        fresh->name = name_of(v, shared, name, &fresh->start);
        fresh->script = script_of(v, shared);
        free_function(f);
        *slot = f = fresh;
    }
    f->walk = v->walk;
    return f->name ? f : NULL;
}

static char *file_of(struct v8 *v, uint64_t name)
{
    char text[V8_NAME_MAX];
    if (!v8_string(v, name, text, sizeof text))
        return NULL;
    return strdup(strncmp(text, "file://", 7) == 0 ? text + 7 : text);
}

static struct v8_script *read_script(struct v8 *v, uint64_t address, uint64_t name, uint64_t source)
{
    struct v8_script *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->address = address;
    s->name_address = name;
    s->source_address = source;
    s->file = file_of(v, name);
    s->line_ends = v8_line_ends(v, source, &s->nlines);
    if (!s->line_ends)
        s->source_address = 0; // the walk's budget may be to blame: read again next time
    uint64_t offset = v8_field(v, address, v->l.script_line_offset);
    if (v8_is_smi(offset) && v8_smi(offset) > -(1 << 20) && v8_smi(offset) < 1 << 20)
        s->line_offset = v8_smi(offset);
    return s;
}

const struct v8_script *v8_script_at(struct v8 *v, uint64_t address)
{
    if (v8_type(v, address) != v->l.type_script)
        return NULL;
    struct v8_script **slot = script_slot(v, address);
    if (!slot)
        return NULL;
    if (*slot && (*slot)->address == address && (*slot)->walk == v->walk)
        return *slot; // its strings are on their way out, whatever it holds now
    uint64_t name = v8_field(v, address, v->l.script_name);
    uint64_t source = v8_field(v, address, v->l.script_source);
    struct v8_script *s = *slot;
    if (!s || s->address != address || s->name_address != name || s->source_address != source) {
        struct v8_script *fresh = read_script(v, address, name, source);
        if (!fresh)
            return NULL;
        free_script(s);
        *slot = s = fresh;
    }
    s->walk = v->walk;
    return s;
}

int v8_line(const struct v8_script *s, int position)
{
    if (!s->line_ends || position < 0)
        return 0;
    int before = (int)list_divide(s->line_ends, s->nlines, end, *end <= (uint32_t)position);
    return before + 1 + s->line_offset;
}
