// Lua 5.1's functions in place of its interpreter's frames: what redis runs its scripts with.
//
// The state (lua_State *L) is an argument of every function of Lua, so those below lua_pcall have pushed it
// to the stack: each word there is tried, and a state is known by how its fields fit together (the sizes of
// its two stacks are there twice). Its CallInfo records name the closures that are active, and a closure's
// prototype has the source and a line for each instruction.
//
// L->savedpc is written at each call, and at the hook that redis sets every 100 000 instructions: a loop
// that computes and calls nothing is somewhere near it, in the same function. Such a line is uncertain.
//
// LuaJIT has the same functions and other structs: it is left alone.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lang.h"

#define MAX_FRAMES 64
#define MAX_STATES 4 // coroutines that resumed one another
#define MAX_WORDS  4096
#define MAX_CALLS  20000 // LUAI_MAXCALLS
#define MAX_SLOTS  (1 << 24)
#define TEXTS      8192
#define CHUNK      64 // bytes of a chunk's name

enum { TYPE_FUNCTION = 6, TYPE_THREAD = 8, TYPE_PROTO = 9 };
enum { TYPE_AT = 8, VALUE_SIZE = 16, VALUE_TYPE_AT = 8, EXTRA_SLOTS = 6 };

struct header { // of every collectable object
    uint64_t next;
    uint8_t type, marked;
};

struct state { // lua_State, its beginning
    struct header header;
    uint64_t top, base, global, ci, savedpc, stack_last, stack, end_ci, base_ci;
    int32_t stack_size, ci_count;
};

struct call_info {
    uint64_t base, function, top, savedpc;
    int32_t results, tail_calls;
};

struct closure {
    struct header header; // is_c lies in its padding
    uint64_t gclist, env, proto;
};
#define CLOSURE_IS_C 10

struct proto {
    struct header header;
    uint64_t constants, code, protos, lines, locals, upvalues, source;
    int32_t upvalue_count, constant_count, code_count, line_count, proto_count, local_count;
    int32_t first_line, last_line;
};

struct string {
    struct header header; // reserved and hash follow
    uint64_t length;
};

struct lua {
    struct lang_frame frames[MAX_FRAMES];
    int n;
    char texts[TEXTS];
    size_t used;
};

static void *attach(const struct lang_process *p, struct mem *m, char *note, char *version)
{
    (void)m;
    (void)note;
    (void)version;
    if (!p->symbol(p->arg, NULL, "lua_cpcall") || p->symbol(p->arg, NULL, "luaJIT_setmode"))
        return NULL; // 5.0 and 5.2 have no lua_cpcall
    return calloc(1, sizeof(struct lua));
}

static const char *keep(struct lua *lua, const char *text)
{
    size_t n = strlen(text) + 1;
    if (n > TEXTS - lua->used)
        return NULL;
    char *copy = memcpy(lua->texts + lua->used, text, n);
    lua->used += n;
    return copy;
}

static bool is_state(const struct state *s)
{
    uint64_t depth = s->ci - s->base_ci;
    return s->header.type == TYPE_THREAD && s->stack_size > EXTRA_SLOTS &&
           s->stack_size < MAX_SLOTS && s->ci_count > 0 && s->ci_count <= 2 * MAX_CALLS &&
           s->stack_last == s->stack + (uint64_t)(s->stack_size - EXTRA_SLOTS) * VALUE_SIZE &&
           s->end_ci == s->base_ci + (uint64_t)(s->ci_count - 1) * sizeof(struct call_info) &&
           s->ci >= s->base_ci && s->ci <= s->end_ci && depth % sizeof(struct call_info) == 0;
}

// "@file" and "=name" are names; anything else is the source itself, of which the first line is shown.
static const char *chunk_name(struct lua *lua, struct mem *m, uint64_t source)
{
    struct string s;
    char name[CHUNK], text[CHUNK + 16];
    if (!mem_read(m, source, &s, sizeof(s)) || s.length == 0)
        return NULL;
    size_t n = s.length < sizeof(name) - 1 ? s.length : sizeof(name) - 1;
    if (!mem_read(m, source + sizeof(s), name, n))
        return NULL;
    name[n] = '\0';
    if (*name == '@' || *name == '=')
        return keep(lua, name + 1);
    name[strcspn(name, "\n")] = '\0';
    snprintf(text, sizeof(text), "[string \"%s\"]", name);
    return keep(lua, text);
}

static int line_of(struct mem *m, const struct proto *p, uint64_t savedpc)
{
    uint64_t next = (savedpc - p->code) / 4; // savedpc is that of the next instruction
    uint32_t line;
    if (savedpc < p->code || next == 0 || next > (uint64_t)p->code_count ||
        next > (uint64_t)p->line_count || !mem_u32(m, p->lines + (next - 1) * 4, &line) ||
        line > INT32_MAX)
        return 0;
    return (int)line;
}

// The prototype of the Lua function that a call is of; false: it is one of C, or torn.
static bool proto_of(struct mem *m, const struct call_info *ci, struct proto *ret)
{
    struct closure c;
    uint64_t object;
    uint32_t type;
    uint8_t is_c;
    return mem_u64(m, ci->function, &object) && mem_u32(m, ci->function + VALUE_TYPE_AT, &type) &&
           type == TYPE_FUNCTION && mem_read(m, object, &c, sizeof(c)) &&
           c.header.type == TYPE_FUNCTION && mem_u8(m, object + CLOSURE_IS_C, &is_c) && !is_c &&
           mem_read(m, c.proto, ret, sizeof(*ret)) && ret->header.type == TYPE_PROTO &&
           ret->code_count > 0;
}

static void add_call(struct lua *lua, struct mem *m, int at, const struct proto *p,
                     uint64_t savedpc, bool exact)
{
    char name[CHUNK + 48];
    const char *file = chunk_name(lua, m, p->source);
    if (!file || p->first_line < 0)
        return;
    if (p->first_line)
        snprintf(name, sizeof(name), "function <%s:%d>", file, p->first_line);
    else
        snprintf(name, sizeof(name), "main chunk");
    int line = line_of(m, p, savedpc);
    const char *function = keep(lua, name);
    if (!function)
        return;
    lua->frames[lua->n++] = (struct lang_frame){
        at,
        {.function = function,
         .file = file,
         .module = file,
         .line = line ? line : p->first_line,
         .kind = FRAME_LUA,
         .uncertain = !exact || !line},
    };
}

static void add_state(struct lua *lua, struct mem *m, int at, const struct state *s, bool computing)
{
    for (uint64_t ci = s->ci; ci > s->base_ci && lua->n < MAX_FRAMES && !mem_spent(m);
         ci -= sizeof(struct call_info)) {
        struct call_info call;
        struct proto p;
        if (!mem_read(m, ci, &call, sizeof(call)) || !proto_of(m, &call, &p))
            continue;
        bool newest = ci == s->ci;
        add_call(lua, m, at, &p, newest ? s->savedpc : call.savedpc, !newest || !computing);
    }
}

static bool enters_lua(const char *symbol)
{
    static const char *const names[] = {"lua_pcall", "lua_call", "lua_cpcall", "lua_resume"};
    for (size_t i = 0; symbol && i < sizeof(names) / sizeof(*names); i++)
        if (!strcmp(symbol, names[i]))
            return true;
    return false;
}

// Where the program called Lua; -1: it did not.
static int find_entry(const struct native_frame *frames, int n)
{
    for (int i = n - 1; i >= 0; i--)
        if (enters_lua(frames[i].symbol))
            return i;
    return -1;
}

// Whether the interpreter itself runs, and no function that it called. A stripped one has no name: then it
// is the leaf itself, in the file of Lua.
static bool is_computing(const struct native_frame *frames, int entry)
{
    const char *symbol = frames[0].symbol, *module = frames[0].module;
    if (symbol)
        return !strcmp(symbol, "luaV_execute");
    return module && frames[entry].module && !strcmp(module, frames[entry].module);
}

static bool is_seen(const uint64_t *seen, int n, uint64_t address)
{
    for (int i = 0; i < n; i++)
        if (seen[i] == address)
            return true;
    return false;
}

static void walk(void *self, struct mem *m, int tid, const struct native_frame *frames, int n,
                 struct lang_result *ret)
{
    (void)tid;
    struct lua *lua = self;
    int entry = find_entry(frames, n), nseen = 0;
    uint64_t seen[MAX_STATES], word;
    *ret = (struct lang_result){.frames = lua->frames};
    lua->n = 0;
    lua->used = 0;
    if (entry < 0)
        return;
    int at = entry > 0 ? entry - 1 : 0;
    bool computing = is_computing(frames, entry);
    uint64_t from = frames[0].sp & ~7ull, to = frames[entry + 1 < n ? entry + 1 : entry].sp;
    for (int i = 0; from < to && i < MAX_WORDS && nseen < MAX_STATES; i++, from += 8) {
        struct state s;
        uint8_t type;
        if (!mem_u64(m, from, &word) || word & 7 || is_seen(seen, nseen, word) ||
            !mem_u8(m, word + TYPE_AT, &type) || type != TYPE_THREAD ||
            !mem_read(m, word, &s, sizeof(s)) || !is_state(&s))
            continue;
        add_state(lua, m, at, &s, computing && nseen == 0);
        seen[nseen++] = word;
    }
    ret->nframes = lua->n;
    ret->in_language = lua->n > 0;
}

static void detach(void *self)
{
    free(self);
}

const struct lang lua51_lang = {
    .name = "Lua",
    .kind = FRAME_LUA,
    .attach = attach,
    .detach = detach,
    .walk = walk,
};
