// Code objects and their line tables.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpython.h"

#define MAX_TABLE (1u << 16) // bytes of a line table

// 3.11+: entries of (code << 3 | length - 1) with the high bit set, then the code's own bytes.
// Codes: 0..9 short, same line; 10..12 one line form, +0..+2; 13 no column and 14 long begin with a
// signed varint of the line delta; 15 has no line.
int py_line_locations(const uint8_t *table, size_t n, int first_line, int64_t unit)
{
    int64_t at = 0, line = first_line;
    for (size_t i = 0; i < n;) {
        unsigned code = table[i] >> 3 & 15, length = (table[i] & 7) + 1;
        i++;
        if (code == 13 || code == 14) {
            uint32_t v = 0;
            unsigned shift = 0;
            bool more = true;
            while (more && i < n && shift < 32) {
                v |= (uint32_t)(table[i] & 63) << shift;
                more = table[i] & 64;
                shift += 6;
                i++;
            }
            line += v & 1 ? -(int64_t)(v >> 1) : (int64_t)(v >> 1);
        } else if (code >= 10 && code <= 12) {
            line += code - 10;
        }
        while (i < n && !(table[i] & 128))
            i++;
        at += length;
        if (unit < at)
            return code == 15 || line <= 0 || line > INT32_MAX ? 0 : (int)line;
    }
    return 0;
}

// 3.10: pairs (bytes of code, signed lines); -128 says that this range has no line.
int py_line_ranges(const uint8_t *table, size_t n, int first_line, int64_t offset)
{
    int64_t at = 0, line = first_line;
    for (size_t i = 0; i + 1 < n; i += 2) {
        int8_t delta = (int8_t)table[i + 1];
        bool none = delta == -128;
        if (!none)
            line += delta;
        at += table[i];
        if (offset < at)
            return none || line <= 0 ? 0 : (int)line;
    }
    return 0;
}

// Up to 3.9: the same pairs, but a line begins at the sum of the bytes before it.
int py_line_lnotab(const uint8_t *table, size_t n, int first_line, int64_t offset)
{
    int64_t at = 0, line = first_line;
    for (size_t i = 0; i + 1 < n; i += 2) {
        at += table[i];
        if (at > offset)
            break;
        line += (int8_t)table[i + 1];
    }
    return line <= 0 ? 0 : (int)line;
}

// The standard library and frozen modules are the runtime, and so is a loop library; what else is
// installed beside them is not.
static bool is_standard_library(const char *file)
{
    if (!strncmp(file, "<frozen ", 8) || strstr(file, "-packages/uvloop/"))
        return true;
    const char *at = strstr(file, "/lib/python3.");
    return at && !strstr(at, "/site-packages/") && !strstr(at, "/dist-packages/");
}

static void free_code(struct py_code *c)
{
    if (!c)
        return;
    free(c->function);
    free(c->file);
    free(c->site);
    free(c->table);
    free(c);
}

void py_codes_free(struct cpython *py)
{
    for (int i = 0; i < PY_CODES; i++)
        free_code(py->codes[i]);
}

static bool read_identity(struct cpython *py, uint64_t address, struct py_code *c)
{
    int16_t name = py->o.co_qualname >= 0 ? py->o.co_qualname : py->o.co_name;
    uint32_t line;
    if (py_kind_of(py, address) != PY_CODE ||
        !mem_u32(py->m, address + py->o.co_firstlineno, &line))
        return false;
    c->address = address;
    c->first_line = (int)line;
    c->filename_address = py_pointer(py, address + py->o.co_filename);
    c->name_address = py_pointer(py, address + name);
    c->table_address = py_pointer(py, address + py->o.co_linetable);
    return c->first_line >= 0;
}

static bool is_same_code(const struct py_code *a, const struct py_code *b)
{
    return a->address == b->address && a->first_line == b->first_line &&
           a->filename_address == b->filename_address && a->name_address == b->name_address &&
           a->table_address == b->table_address;
}

static void read_table(struct cpython *py, struct py_code *c)
{
    uint64_t n = py_pointer(py, c->table_address + py->o.ob_size);
    if (!n || n > MAX_TABLE)
        return;
    c->table = malloc(n);
    if (c->table && mem_read(py->m, c->table_address + py->o.by_bytes, c->table, n))
        c->table_len = n;
}

static struct py_code *read_code(struct cpython *py, const struct py_code *identity)
{
    char function[PY_NAME_MAX], file[PY_NAME_MAX];
    if (!py_string(py, identity->name_address, function, sizeof function) ||
        !py_string(py, identity->filename_address, file, sizeof file))
        return NULL;
    struct py_code *c = malloc(sizeof *c);
    if (!c)
        return NULL;
    *c = *identity;
    c->function = strdup(function);
    c->file = strdup(file);
    if (asprintf(&c->site, "%s:%d", file, c->first_line) < 0)
        c->site = NULL;
    c->runtime = is_standard_library(file);
    read_table(py, c);
    if (!c->table_len)
        c->table_address = 0; // empty, or torn: looked at again next time
    if (c->function && c->file && c->site)
        return c;
    free_code(c);
    return NULL;
}

// An entry used in this walk stays, for its strings are on their way out: a colliding code object
// is then put into one of the neighbouring slots.
static struct py_code **slot_for(struct cpython *py, uint64_t address)
{
    size_t at = (address >> 4) * 0x9e3779b97f4a7c15ull >> 53;
    struct py_code **free_slot = NULL;
    for (size_t i = 0; i < 8; i++) {
        struct py_code **slot = &py->codes[(at + i) % PY_CODES];
        if (*slot && (*slot)->address == address)
            return slot;
        if (!free_slot && (!*slot || (*slot)->walk != py->walk))
            free_slot = slot;
    }
    return free_slot;
}

const struct py_code *py_code_at(struct cpython *py, uint64_t address)
{
    struct py_code identity = {0};
    struct py_code **slot = slot_for(py, address);
    if (slot && *slot && (*slot)->address == address && (*slot)->walk == py->walk)
        return *slot;
    if (!slot || !read_identity(py, address, &identity))
        return NULL;
    if (!*slot || !is_same_code(*slot, &identity)) {
        struct py_code *fresh = read_code(py, &identity);
        if (!fresh)
            return NULL;
        free_code(*slot);
        *slot = fresh;
    }
    (*slot)->walk = py->walk;
    return *slot;
}

static int decode_line(struct cpython *py, const struct py_code *c, uint64_t instr)
{
    if (py->o.version <= 0x0309) // an empty one: all on the first line
        return py_line_lnotab(c->table, c->table_len, c->first_line, (int32_t)instr);
    if (!c->table_len)
        return 0;
    if (py->o.version == 0x030a)
        return py_line_ranges(c->table, c->table_len, c->first_line, 2 * (int64_t)(int32_t)instr);
    int64_t unit = (int64_t)(instr - (c->address + py->o.co_code)) / 2;
    if (unit < -1 || unit > 1 << 24)
        return 0;
    return py_line_locations(c->table, c->table_len, c->first_line, unit);
}

int py_line(struct cpython *py, const struct py_code *code, uint64_t instr)
{
    struct py_code *c = (struct py_code *)code; // ours: the cache hands it out read-only
    if (c->last_instr != instr || !c->last_line) {
        c->last_line = decode_line(py, c, instr);
        c->last_instr = instr;
    }
    return c->last_line;
}
