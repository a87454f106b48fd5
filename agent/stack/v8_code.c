// Machine code of V8's just-in-time compilers: which code object a pc lies in, and what its tables say about
// it: source positions with inlining for optimised code, bytecode offsets for baseline code.
#include <stdlib.h>
#include <string.h>

#include "v8.h"

#define MAX_BACK      (2u << 20) // the longest code we look back over for its header
#define MAX_CODE      (64u << 20)
#define CODE_STEP     16
#define MAX_INLINING  16
#define KIND_REGEXP   3 // the same in V8 10 to 13
#define MAX_BYTECODES (1 << 20)

// Seven bits a byte, the lowest first, the last one without the top bit.
static bool read_bits(const uint8_t *bytes, size_t n, size_t *at, unsigned most, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *at < n && shift < most; shift += 7) {
        uint8_t b = bytes[(*at)++];
        value |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

bool v8_vlq(const uint8_t *bytes, size_t n, size_t *at, int64_t *ret)
{
    uint64_t value;
    if (!read_bits(bytes, n, at, 64, &value))
        return false;
    *ret = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    return true;
}

static bool vlq_unsigned(const uint8_t *bytes, size_t n, size_t *at, uint32_t *ret)
{
    uint64_t value;
    if (!read_bits(bytes, n, at, 32, &value))
        return false;
    *ret = (uint32_t)value;
    return true;
}

static enum v8_code_kind kind_of(struct v8 *v, uint32_t flags)
{
    int kind = (int)(flags & v->l.kind_mask);
    if (kind == KIND_REGEXP)
        return V8_CODE_REGEXP;
    if (kind == v->l.kind_baseline)
        return V8_CODE_BASELINE;
    return kind > v->l.kind_baseline ? V8_CODE_OPTIMIZED : V8_CODE_OTHER; // Maglev, TurboFan
}

// stream: tagged object whose instructions follow its header.
static bool read_code(struct v8 *v, uint64_t stream, uint64_t pc, struct v8_code *ret)
{
    uint32_t flags, size;
    uint64_t code = v->l.stream_code ? v8_field(v, stream, v->l.stream_code) : stream;
    if (v->l.stream_code && v8_type(v, code) != v->l.type_code)
        return false;
    uint64_t start = stream - 1 + v->l.stream_start;
    if (v->l.stream_code && v8_field(v, code, v->l.code_start) != start)
        return false;
    if (!mem_u32(v->m, code - 1 + v->l.code_size, &size) ||
        !mem_u32(v->m, code - 1 + v->l.code_flags, &flags) || size > MAX_CODE || pc < start ||
        pc > start + size)
        return false;
    *ret = (struct v8_code){code, start, size, kind_of(v, flags)};
    return true;
}

static bool is_stream_map(struct v8 *v, uint64_t map)
{
    uint16_t type;
    if ((map & 3) != 1)
        return false;
    if (map == v->stream_map)
        return true;
    return mem_u16(v->m, map - 1 + v->l.map_type, &type) && type == v->l.type_stream;
}

// Searches back from pc for the header of a code object that spans it. With known_only only the map seen last
// counts: that compares words and reads nothing else.
static bool search_back(struct v8 *v, uint64_t pc, bool known_only, struct v8_code *ret)
{
    uint64_t at = pc & ~(uint64_t)(CODE_STEP - 1), words[MEM_PAGE / 8], page = 0;
    for (uint64_t back = 0; back < MAX_BACK; back += CODE_STEP, at -= CODE_STEP) {
        if (at / MEM_PAGE != page) {
            page = at / MEM_PAGE;
            if (!mem_read(v->m, page * MEM_PAGE, words, sizeof words))
                return false;
        }
        uint64_t map = words[at % MEM_PAGE / 8];
        if (known_only ? map != v->stream_map : !is_stream_map(v, map))
            continue;
        if (read_code(v, at + 1, pc, ret)) {
            v->stream_map = map;
            return true;
        }
    }
    return false;
}

bool v8_code_of(struct v8 *v, uint64_t pc, struct v8_code *ret)
{
    return (v->stream_map && search_back(v, pc, true, ret)) || search_back(v, pc, false, ret);
}

// Entries of a source position table: where the code begins, and the packed position.
struct position_entry {
    int64_t offset, position;
};

static bool next_entry(const uint8_t *table, size_t n, size_t *at, struct position_entry *e)
{
    int64_t offset, position;
    if (!v8_vlq(table, n, at, &offset) || !v8_vlq(table, n, at, &position))
        return false;
    e->offset += offset < 0 ? -(offset + 1) : offset; // the sign tells statements from expressions
    e->position += position;
    return true;
}

// The last entry at or before offset. *next: the one behind it (offset -1: none).
static bool find_entry(const uint8_t *table, size_t n, int64_t offset, struct position_entry *found,
                       struct position_entry *next)
{
    struct position_entry e = {0, 0};
    bool any = false;
    next->offset = -1;
    for (size_t at = 0; next_entry(table, n, &at, &e);) {
        if (e.offset > offset) {
            *next = e;
            break;
        }
        *found = e;
        any = true;
    }
    return any;
}

// Packed: external 1 bit, script offset + 1 in 30 bits, inlining id + 1 in 16 bits.
static int script_offset(int64_t packed)
{
    return packed & 1 ? -1 : (int)(packed >> 1 & 0x3fffffff) - 1;
}

static int inlining_id(int64_t packed)
{
    return packed & 1 ? -1 : (int)(packed >> 31 & 0xffff) - 1;
}

static uint64_t array_at(struct v8 *v, uint64_t array, int index)
{
    int length = v8_array_length(v, array);
    return index >= 0 && index < length ? v8_field(v, array, v->l.array_data + 8 * index) : 0;
}

// A SharedFunctionInfo, through its wrapper or a weak reference.
static uint64_t as_shared(struct v8 *v, uint64_t value)
{
    if ((value & 3) == 3)
        value &= ~2ull;
    if (v8_type(v, value) == v->l.type_sfi)
        return value;
    uint64_t inner = v8_field(v, value, 8);
    return v8_type(v, inner) == v->l.type_sfi ? inner : 0;
}

static uint64_t code_function(struct v8 *v, const struct v8_code *c)
{
    uint64_t deopt = v8_field(v, c->object, v->l.code_deopt);
    return as_shared(v, array_at(v, deopt, v->l.deopt_sfi));
}

// One inlined call: which function, and where it was called (packed, in its caller).
static bool inlined(struct v8 *v, uint64_t deopt, int id, uint64_t *shared, int64_t *call)
{
    uint64_t inlinings = array_at(v, deopt, v->l.deopt_inlinings);
    uint64_t literals = array_at(v, deopt, v->l.deopt_literals);
    int bytes = v8_array_length(v, inlinings);
    uint32_t function;
    if (bytes < 0 || (int64_t)(id + 1) * 16 > bytes)
        return false;
    uint64_t at = inlinings - 1 + v->l.array_data + 16 * (uint64_t)id;
    if (!mem_read(v->m, at, call, sizeof *call) || !mem_u32(v->m, at + 8, &function))
        return false;
    *shared = (int32_t)function < 0 ? 0 : as_shared(v, array_at(v, literals, (int)function));
    return *shared != 0;
}

// Innermost first. An inlining that cannot be read leaves the outer function at an unknown line.
static int expand(struct v8 *v, const struct v8_code *c, int64_t packed, struct v8_place *places,
                  int max)
{
    uint64_t deopt = v8_field(v, c->object, v->l.code_deopt);
    int n = 0, id = inlining_id(packed);
    while (id >= 0 && n + 1 < max && n < MAX_INLINING) {
        uint64_t shared;
        int64_t call;
        if (!inlined(v, deopt, id, &shared, &call)) {
            n = 0;
            packed = 1;
            break;
        }
        places[n++] = (struct v8_place){shared, script_offset(packed), false};
        packed = call;
        id = inlining_id(packed);
    }
    places[n++] = (struct v8_place){code_function(v, c), script_offset(packed), false};
    return n;
}

static int line_of(struct v8 *v, const struct v8_place *p)
{
    const struct v8_function *f = p->position >= 0 ? v8_function_at(v, p->shared) : NULL;
    const struct v8_script *s = f && f->script ? v8_script_at(v, f->script) : NULL;
    return s ? v8_line(s, p->position) : 0;
}

static bool is_same_line(struct v8 *v, const struct v8_place *a, const struct v8_place *b)
{
    if (a->shared != b->shared)
        return false;
    return a->position == b->position || (line_of(v, a) && line_of(v, a) == line_of(v, b));
}

// From the outside in, the lines that the entries before and behind the pc agree on are certain.
static void mark_uncertain(struct v8 *v, struct v8_place *places, int n,
                           const struct v8_place *next, int nnext)
{
    int same = 0;
    while (same < n && same < nnext &&
           is_same_line(v, &places[n - 1 - same], &next[nnext - 1 - same]))
        same++;
    for (int i = 0; i < n - same; i++)
        places[i].uncertain = true;
}

// A call that the compiler added lies behind the code proper and jumps back to where it is needed:
// there the positions are those of the source. Returns that offset, or `offset` where no such jump
// follows.
static int64_t continuation(struct v8 *v, const struct v8_code *c, int64_t offset)
{
    uint8_t bytes[96];
    if (offset < 0 || !mem_read(v->m, c->start + (uint64_t)offset, bytes, sizeof bytes))
        return offset;
    for (size_t i = 0; i + 5 <= sizeof bytes; i++) {
        int32_t jump;
        memcpy(&jump, bytes + i + 1, sizeof jump);
        int64_t target = offset + (int64_t)i + 5 + jump;
        if (bytes[i] == 0xe9 && target > 0 && target < offset) // jmp rel32
            return target;
    }
    return offset;
}

static int surely(struct v8 *v, const struct v8_code *c, const struct position_entry *found,
                  const struct position_entry *next, struct v8_place *places, int max)
{
    struct v8_place behind[MAX_INLINING + 2];
    int n = expand(v, c, found->position, places, max);
    int nbehind = next->offset < 0 ? 0 : expand(v, c, next->position, behind, MAX_INLINING + 2);
    mark_uncertain(v, places, n, behind, nbehind);
    return n;
}

// Only calls have entries. A return address is exact where the entry before it is that call's own;
// any other pc is given the entry before it, as far as the one behind agrees.
int v8_optimized_places(struct v8 *v, const struct v8_code *c, uint64_t pc, bool exact,
                        struct v8_place *places, int max)
{
    size_t size;
    uint8_t *table = v8_bytes(v, v8_field(v, c->object, v->l.code_positions), &size);
    struct position_entry found, next;
    int64_t offset = (int64_t)(pc - c->start);
    int n;
    places[0] = (struct v8_place){code_function(v, c), -1, false};
    if (!table || !find_entry(table, size, exact ? offset : offset - 1, &found, &next))
        n = 1;
    else if (exact)
        n = surely(v, c, &found, &next, places, max);
    else if (v8_is_first_call(v, c, (uint32_t)found.offset, (uint32_t)offset))
        n = expand(v, c, found.position, places, max);
    else if (find_entry(table, size, continuation(v, c, offset), &found, &next))
        n = surely(v, c, &found, &next, places, max);
    else
        n = 1;
    free(table);
    return n;
}

int v8_bytecode_position(struct v8 *v, uint64_t bytecodes, int offset)
{
    size_t n;
    uint8_t *table = v8_bytes(v, v8_field(v, bytecodes, v->l.bytecode_positions), &n);
    struct position_entry found, next;
    bool any = table && find_entry(table, n, offset, &found, &next);
    free(table);
    return any ? script_offset(found.position) : -1;
}

// Length of the bytecode at p, prefixes (Wide, ExtraWide and their debug twins: the first four)
// included.
static int bytecode_length(struct v8 *v, const uint8_t *p, size_t left)
{
    int scale = 0, prefix = 0;
    if (left && p[0] < 4) {
        scale = p[0] % 2 ? 2 : 1;
        prefix = 1;
    }
    if ((size_t)prefix >= left || p[prefix] >= v->l.bytecodes)
        return 0;
    return prefix + v->bytecode_sizes[scale * v->l.bytecodes + p[prefix]];
}

// The table gives, bytecode by bytecode, how much code was made for it; the lengths of the
// bytecodes themselves come from V8's own table.
static int walk_baseline(struct v8 *v, const uint8_t *table, size_t n, const uint8_t *code,
                         size_t length, uint64_t pc_offset)
{
    uint64_t end = 0;
    uint32_t delta;
    size_t at = 0, bytecode = 0;
    if (!vlq_unsigned(table, n, &at, &delta)) // the prologue
        return -1;
    end += delta;
    while (bytecode < length && vlq_unsigned(table, n, &at, &delta)) {
        end += delta;
        if (pc_offset <= end)
            return (int)bytecode;
        int step = bytecode_length(v, code + bytecode, length - bytecode);
        if (step <= 0)
            return -1;
        bytecode += step;
    }
    return -1;
}

int v8_baseline_offset(struct v8 *v, const struct v8_code *c, uint64_t bytecodes, uint64_t pc)
{
    int length = v8_array_length(v, bytecodes), offset = -1;
    if (!v->bytecode_sizes || length <= 0 || length > MAX_BYTECODES || pc < c->start)
        return -1;
    size_t n;
    uint8_t *table = v8_bytes(v, v8_field(v, c->object, v->l.code_positions), &n);
    uint8_t *code = malloc(length);
    if (table && code && mem_read(v->m, bytecodes - 1 + v->l.bytecode_data, code, length))
        offset = walk_baseline(v, table, n, code, length, pc - c->start);
    free(code);
    free(table);
    return offset;
}
