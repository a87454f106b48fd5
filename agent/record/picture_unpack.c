#include <errno.h>
#include <math.h>
#include <string.h>

#include "../snapshot/arena.h"
#include "codec.h"
#include "order.h"
#include "picture.h"
#include "tables.h"

#define SNAPSHOT_MAX ((size_t)256 << 20) // bytes in memory; a few bytes could ask for any number

struct unpacking {
    struct snap *into;
    struct reading *r;
    const struct picture_lookup *lookup;
    int64_t passed_ns; // since the snapshot before
};

static bool too_large(struct unpacking *u, size_t more)
{
    return arena_bytes(u->into->arena) + more > SNAPSHOT_MAX;
}

static int64_t take_number(struct reading *r, int64_t before)
{
    uint64_t v = take_varint(r);
    if (v == 0)
        return SNAP_UNKNOWN;
    if (v == 1) {
        const uint8_t *raw = take_bytes(r, 8);
        int64_t whole = 0;
        if (raw)
            memcpy(&whole, raw, 8);
        return whole;
    }
    before = before == SNAP_UNKNOWN ? 0 : before;
    uint64_t changed = (uint64_t)unzigzag((v - 2) >> 1) * (v & 1 ? 1 : PICTURE_UNIT);
    return (int64_t)((uint64_t)before + changed);
}

static double take_real(struct reading *r, double before)
{
    uint8_t bytes[8];
    uint64_t bounds = take_varint(r), first = bounds >> 4, end = bounds & 15;
    if (bounds == PICTURE_WHOLE)
        return (double)take_number(r, 0);
    if (first > end || end > 8) {
        r->bad = true;
        return 0;
    }
    const uint8_t *changed = take_bytes(r, end - first);
    memcpy(bytes, &before, 8);
    for (uint64_t i = first; i < end && changed; i++)
        bytes[i] ^= changed[i - first];
    double now;
    memcpy(&now, bytes, 8);
    return now;
}

// As it was but for its middle.
static const char *take_prose(struct unpacking *u, const char *before)
{
    struct reading *r = u->r;
    uint64_t length = take_varint(r), head = 0, end = 0, nbefore = before ? strlen(before) : 0;
    if (length == 0)
        return NULL;
    if (before) {
        head = take_varint(r);
        end = take_varint(r);
    }
    const uint8_t *middle = take_bytes(r, length - 1);
    if (!middle || head > nbefore || end > nbefore - head) {
        r->bad = true;
        return NULL;
    }
    char *text = snap_alloc(u->into, head + length + end);
    memcpy(text, before ? before : "", head);
    memcpy(text + head, middle, length - 1);
    memcpy(text + head + length - 1, before ? before + nbefore - end : "", end);
    return text;
}

static const char *take_word(struct unpacking *u)
{
    uint64_t id = take_varint(u->r);
    const char *text =
        id ? u->lookup->text(u->lookup->arg, u->into, (int64_t)(id & INT64_MAX)) : NULL;
    u->r->bad |= id && !text;
    return text;
}

static struct stack *take_stack(struct unpacking *u)
{
    uint64_t id = take_varint(u->r);
    struct stack *stack =
        id ? u->lookup->stack(u->lookup->arg, u->into, (int64_t)(id & INT64_MAX)) : NULL;
    u->r->bad |= id && !stack;
    return stack;
}

static void take_packed(struct reading *r, enum column_type type, char *at, const char *was)
{
    uint64_t n = take_varint(r);
    const uint8_t *bytes = take_bytes(r, n);
    if (!bytes)
        return;
    int rc = type == COL_SPARK
                 ? spark_unpack((int64_t *)at, (const int64_t *)was, bytes, (size_t)n)
                 : hist_unpack((uint32_t *)at, (const uint32_t *)was, bytes, (size_t)n);
    r->bad |= rc < 0;
}

static void take_value(struct unpacking *u, const struct column *c, char *at, const char *was)
{
    struct reading *r = u->r;
    switch (c->type) {
    case COL_INT:
    case COL_U32:
        *(uint32_t *)at = (uint32_t)take_number(r, was ? column_number(c, was) : 0);
        break;
    case COL_I64:
    case COL_U64: *(int64_t *)at = take_number(r, was ? column_number(c, was) : 0); break;
    case COL_MOMENT: *(int64_t *)at = take_number(r, u->into->now_ns); break;
    case COL_AGE:
        *(int64_t *)at = take_number(r, was ? aged(column_number(c, was), u->passed_ns) : 0);
        break;
    case COL_BOOL: *(bool *)at = take_varint(r) != 0; break;
    case COL_REAL: *(double *)at = take_real(r, was ? *(const double *)was : 0); break;
    case COL_TEXT: *(const char **)at = take_word(u); break;
    case COL_PROSE:
        *(const char **)at = take_prose(u, was ? *(const char *const *)was : NULL);
        break;
    case COL_STACK: *(struct stack **)at = take_stack(u); break;
    case COL_SPARK:
    case COL_HIST: take_packed(r, c->type, at, was); break;
    }
}

static void unpack_list(struct unpacking *u, const struct table *t, void *now, const void *before);

static void unpack_element(struct unpacking *u, const struct table *t, char *row, const char *was)
{
    const uint8_t *mask = take_bytes(u->r, table_mask_size(t));
    for (int i = 0; i < t->ncolumns && !u->r->bad; i++) {
        const struct column *c = &t->columns[i];
        u->r->bad |= too_large(u, 0); // one long text may be named by every element
        if (mask[i / 8] & 1 << i % 8)
            take_value(u, c, row + c->offset, was ? was + c->offset : NULL);
        else if (was && c->type == COL_AGE)
            *(int64_t *)(row + c->offset) = aged(column_number(c, was + c->offset), u->passed_ns);
        else if (was)
            column_copy(c, u->into, row, was, NULL, NULL);
    }
    for (int i = 0; i < t->nchildren && !u->r->bad; i++)
        unpack_list(u, t->children[i], row, was);
}

static void copy_element(struct unpacking *u, const struct table *t, char *row, const char *was)
{
    if (!was || too_large(u, 0)) {
        u->r->bad = true;
        return;
    }
    row_copy(t, u->into, row, was, NULL, NULL);
    row_age(t, row, u->passed_ns);
}

static void unpack_elements(struct unpacking *u, const struct table *t, char *rows, int n,
                            const char *old, const int *from)
{
    int i = 0;
    while (i < n && !u->r->bad) {
        uint64_t same = take_varint(u->r);
        u->r->bad |= same > (uint64_t)(n - i);
        for (bool changed = false; i < n && !changed && !u->r->bad; i++) {
            char *row = rows + (size_t)i * t->size;
            const char *was = from[i] == ORDER_NEW ? NULL : old + (size_t)from[i] * t->size;
            changed = same-- == 0;
            if (changed)
                unpack_element(u, t, row, was);
            else
                copy_element(u, t, row, was);
        }
    }
}

static void take_order(struct unpacking *u, const struct table *t, int n, int nbefore, int *from)
{
    order_plain(n, nbefore, from);
    if (!t->key || nbefore == 0)
        return;
    uint64_t size = take_varint(u->r);
    const uint8_t *runs = take_bytes(u->r, size);
    if (runs && size > 0)
        u->r->bad |= order_unpack(from, n, nbefore, runs, (size_t)size) < 0;
}

// What is not as before takes a byte at least, so a length is bounded by what is there.
static int take_length(struct unpacking *u, const struct table *t, int nbefore)
{
    uint64_t n = take_varint(u->r), most = (uint64_t)nbefore + (uint64_t)(u->r->end - u->r->at);
    if (n > most || too_large(u, (size_t)n * (t->size + sizeof(int)))) {
        u->r->bad = true;
        return 0;
    }
    return (int)n;
}

static void unpack_list(struct unpacking *u, const struct table *t, void *now, const void *before)
{
    if (t->embedded) {
        int from = before ? 0 : ORDER_NEW;
        unpack_elements(u, t, table_list(t, now), 1, before ? table_list(t, before) : NULL, &from);
        return;
    }
    int nbefore = before ? table_count(t, before) : 0, n = take_length(u, t, nbefore);
    int *from = snap_alloc(u->into, sizeof(*from) * ((size_t)n + 1));
    char *rows = snap_alloc(u->into, t->size * ((size_t)n + 1));
    *(char **)((char *)now + t->list) = rows;
    *(int *)((char *)now + t->count) = n;
    take_order(u, t, n, nbefore, from);
    unpack_elements(u, t, rows, n, before ? table_list(t, before) : NULL, from);
    if (u->r->bad) // half an element must not be shown
        *(int *)((char *)now + t->count) = 0;
}

int64_t picture_passed_ns(int64_t now_ns, const struct snap *before)
{
    return before ? (int64_t)((uint64_t)now_ns - (uint64_t)before->now_ns) : 0;
}

int picture_unpack(struct snap *now, const struct snap *before, struct reading *r,
                   const struct picture_lookup *lookup)
{
    struct unpacking u = {.into = now, .r = r, .lookup = lookup};
    now->version = take_varint(r);
    now->now_ns = unzigzag(take_varint(r));
    u.passed_ns = picture_passed_ns(now->now_ns, before);
    for (int i = 0; record_tables[i] && !r->bad; i++)
        unpack_list(&u, record_tables[i], now, before);
    return r->bad || r->at != r->end ? -EBADMSG : 0;
}
