// The safepoint table of generated code: the return address of every call in it, in ascending
// order. It tells whether a source position that lies before a return address is that call's own.
// (Calls that the compiler added, such as the slow path of an allocation at the end of the code,
// have no position of their own.)
//
// The table follows the instructions: count, [more], configuration, [more], entries. The
// configuration packs how many bytes each part of an entry takes. Compilers and versions differ in
// the words between and in one more byte an entry, so each known layout is tried; the right one
// ascends and holds the return address.
#include <stdlib.h>
#include <string.h>

#include "v8.h"

#define MAX_ENTRIES (1 << 14)
#define HEAD        16

static const struct safepoint_layout {
    int config, entries, extra;
} layouts[] = {
    {4, 8, 0},  // V8 10 to 12, TurboFan
    {8, 12, 0}, // V8 13, TurboFan
    {8, 16, 1}, // V8 13, Maglev
    {4, 12, 1}, // V8 12, Maglev
    {4, 16, 1},
};

static uint32_t at32(const uint8_t *bytes)
{
    uint32_t v;
    memcpy(&v, bytes, sizeof v);
    return v;
}

struct safepoints {
    uint8_t *bytes;
    int n, stride, pc_size;
};

static bool read_table(struct v8 *v, const struct v8_code *c, const struct safepoint_layout *l,
                       struct safepoints *t)
{
    uint8_t head[HEAD];
    uint64_t at = c->start + c->size;
    if (!mem_read(v->m, at, head, sizeof head))
        return false;
    uint32_t n = at32(head), config = at32(head + l->config);
    int deopt = config & 1, registers = config >> 1 & 7, pc = config >> 4 & 7,
        index = config >> 7 & 7;
    if (!n || n > MAX_ENTRIES || pc < 1 || pc > 4 || index > 4)
        return false;
    *t = (struct safepoints){.n = (int)n, .pc_size = pc};
    t->stride = pc + (deopt ? index + pc : 0) + registers + l->extra;
    t->bytes = malloc((size_t)n * t->stride);
    return t->bytes && mem_read(v->m, at + l->entries, t->bytes, (size_t)n * t->stride);
}

// 1: the first call behind `from` returns to `to`; 0: another does; -1: this is not the table's
// layout.
static int first_call(const struct safepoints *t, uint32_t size, uint32_t from, uint32_t to)
{
    uint32_t last = 0;
    bool found = false, other = false;
    for (int i = 0; i < t->n; i++) {
        uint32_t pc = 0;
        memcpy(&pc, t->bytes + (size_t)i * t->stride, t->pc_size);
        if (pc <= last || pc > size)
            return -1;
        found |= pc == to;
        other |= pc > from && pc < to;
        last = pc;
    }
    return found ? !other : -1;
}

bool v8_is_first_call(struct v8 *v, const struct v8_code *c, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        struct safepoints t = {0};
        int is = read_table(v, c, &layouts[i], &t) ? first_call(&t, c->size, from, to) : -1;
        free(t.bytes);
        if (is >= 0)
            return is;
    }
    return false;
}
