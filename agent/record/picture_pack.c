#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "order.h"
#include "picture.h"
#include "tables.h"

struct packing {
    struct bytes *out;
    const struct picture_names *names;
    int64_t now_ns;
    int64_t passed_ns; // since the snapshot before
    bool failed;
};

static void put_difference(struct bytes *out, int64_t changed)
{
    bool whole = changed % PICTURE_UNIT == 0;
    uint64_t v = zigzag(whole ? changed / PICTURE_UNIT : changed);
    bytes_varint(out, (v << 1 | !whole) + 2);
}

static void put_number(struct packing *p, int64_t now, int64_t before)
{
    before = before == SNAP_UNKNOWN ? 0 : before;
    int64_t changed = (int64_t)((uint64_t)now - (uint64_t)before);
    if (now == SNAP_UNKNOWN) {
        bytes_varint(p->out, 0);
    } else if (changed > -PICTURE_FAR && changed < PICTURE_FAR) {
        put_difference(p->out, changed);
    } else {
        bytes_varint(p->out, 1);
        bytes_put(p->out, &now, sizeof(now));
    }
}

static bool is_whole(double v)
{
    return v == floor(v) && fabs(v) < (double)PICTURE_FAR / PICTURE_UNIT && !(v == 0 && signbit(v));
}

// Of a measured ratio most bytes change, of others only some in the middle.
static void put_real(struct packing *p, double now, double before)
{
    uint8_t a[8], b[8], changed[8];
    if (is_whole(now)) {
        bytes_varint(p->out, PICTURE_WHOLE);
        put_number(p, (int64_t)now, 0);
        return;
    }
    memcpy(a, &now, 8);
    memcpy(b, &before, 8);
    for (int i = 0; i < 8; i++)
        changed[i] = a[i] ^ b[i];
    int first = 0, end = 8;
    while (first < 8 && changed[first] == 0)
        first++;
    while (end > first && changed[end - 1] == 0)
        end--;
    bytes_varint(p->out, (uint64_t)(first << 4 | end));
    bytes_put(p->out, changed + first, (size_t)(end - first));
}

// A sentence keeps its words when its figures change.
static void put_prose(struct packing *p, const char *now, const char *before)
{
    if (!now || !before) {
        bytes_text(p->out, now);
        return;
    }
    size_t n = strlen(now), nbefore = strlen(before), most = n < nbefore ? n : nbefore;
    size_t head = 0, end = 0;
    while (head < most && now[head] == before[head])
        head++;
    while (end < most - head && now[n - 1 - end] == before[nbefore - 1 - end])
        end++;
    bytes_varint(p->out, n - head - end + 1);
    bytes_varint(p->out, head);
    bytes_varint(p->out, end);
    bytes_put(p->out, now + head, n - head - end);
}

static void put_named(struct packing *p, int64_t id)
{
    p->failed |= id < 0;
    bytes_varint(p->out, id < 0 ? 0 : (uint64_t)id);
}

static void put_block(struct packing *p, const uint8_t *packed, size_t n)
{
    bytes_varint(p->out, n);
    bytes_put(p->out, packed, n);
}

static const int64_t *series(const char *was)
{
    return (const int64_t *)was;
}

static void put_value(struct packing *p, const struct column *c, const char *at, const char *was)
{
    const struct picture_names *names = p->names;
    uint8_t packed[CODEC_MAX];
    switch (c->type) {
    case COL_INT:
    case COL_U32:
    case COL_I64:
    case COL_U64: put_number(p, column_number(c, at), was ? column_number(c, was) : 0); break;
    case COL_MOMENT: put_number(p, *(const int64_t *)at, p->now_ns); break;
    case COL_AGE:
        put_number(p, *(const int64_t *)at, was ? aged(column_number(c, was), p->passed_ns) : 0);
        break;
    case COL_BOOL: bytes_varint(p->out, *(const bool *)at); break;
    case COL_REAL: put_real(p, *(const double *)at, was ? *(const double *)was : 0); break;
    case COL_PROSE:
        put_prose(p, *(const char *const *)at, was ? *(const char *const *)was : NULL);
        break;
    case COL_TEXT: {
        const char *text = *(const char *const *)at;
        put_named(p, text ? names->text(names->arg, text) : 0);
        break;
    }
    case COL_STACK: {
        const struct stack *stack = *(struct stack *const *)at;
        put_named(p, stack ? names->stack(names->arg, stack) : 0);
        break;
    }
    case COL_SPARK: put_block(p, packed, spark_pack(series(at), series(was), packed)); break;
    case COL_HIST:
        put_block(p, packed, hist_pack((const uint32_t *)at, (const uint32_t *)was, packed));
        break;
    }
}

static bool pack_list(struct packing *p, const struct table *t, const void *now,
                      const void *before);

static bool is_as_expected(struct packing *p, const struct table *t, const struct column *c,
                           const char *row, const char *was)
{
    if (!was || c->type != COL_AGE)
        return column_equal(c, row, was ? was : table_zeros(t));
    return column_number(c, row + c->offset) ==
           aged(column_number(c, was + c->offset), p->passed_ns);
}

// Returns whether there was anything to say.
static bool pack_columns(struct packing *p, const struct table *t, const char *row, const char *was)
{
    size_t mask = p->out->n;
    bool any = false;
    memset(bytes_more(p->out, table_mask_size(t)), 0, table_mask_size(t));
    for (int i = 0; i < t->ncolumns; i++) {
        const struct column *c = &t->columns[i];
        if (is_as_expected(p, t, c, row, was))
            continue;
        any = true;
        p->out->at[mask + (size_t)i / 8] |= (uint8_t)(1 << i % 8);
        put_value(p, c, row + c->offset, was ? was + c->offset : NULL);
    }
    return any;
}

static bool pack_element(struct packing *p, const struct table *t, const char *row, const char *was)
{
    bool any = pack_columns(p, t, row, was);
    for (int i = 0; i < t->nchildren; i++)
        any |= pack_list(p, t->children[i], row, was);
    return any || !was;
}

static bool pack_order(struct packing *p, const struct table *t, const char *rows, int n,
                       const char *old, int nbefore, int *from)
{
    bool moved = order_match(t, rows, n, old, nbefore, from);
    if (!t->key || nbefore == 0)
        return false;
    if (!moved) {
        bytes_varint(p->out, 0);
        return false;
    }
    struct bytes runs = {0};
    runs.n = order_pack(from, n, bytes_more(&runs, 20 * (size_t)n + 1));
    put_block(p, runs.at, runs.n);
    bytes_free(&runs);
    return n > 0;
}

static bool pack_elements(struct packing *p, const struct table *t, const char *rows, int n,
                          const char *old, const int *from)
{
    int same = 0;
    bool any = false;
    for (int i = 0; i < n; i++) {
        size_t start = p->out->n;
        const char *was = from[i] == ORDER_NEW ? NULL : old + (size_t)from[i] * t->size;
        bytes_varint(p->out, (uint64_t)same);
        bool changed = pack_element(p, t, rows + (size_t)i * t->size, was);
        any |= changed;
        same = changed ? 0 : same + 1;
        if (!changed)
            p->out->n = start;
    }
    if (same > 0)
        bytes_varint(p->out, (uint64_t)same);
    return any;
}

static bool pack_list(struct packing *p, const struct table *t, const void *now, const void *before)
{
    if (t->embedded) {
        int from = before ? 0 : ORDER_NEW;
        return pack_elements(p, t, table_list(t, now), 1, before ? table_list(t, before) : NULL,
                             &from);
    }
    int n = table_count(t, now), nbefore = before ? table_count(t, before) : 0;
    const char *rows = table_list(t, now), *old = before ? table_list(t, before) : NULL;
    int *from = calloc((size_t)n + 1, sizeof(*from));
    if (!from)
        abort();
    bytes_varint(p->out, (uint64_t)n);
    bool any = n != nbefore;
    any |= pack_order(p, t, rows, n, old, nbefore, from);
    any |= pack_elements(p, t, rows, n, old, from);
    free(from);
    return any;
}

int picture_pack(struct bytes *out, const struct snap *now, const struct snap *before,
                 const struct picture_names *names)
{
    struct packing p = {
        .out = out,
        .names = names,
        .now_ns = now->now_ns,
        .passed_ns = picture_passed_ns(now->now_ns, before),
    };
    bytes_varint(out, now->version);
    bytes_varint(out, zigzag(now->now_ns));
    for (int i = 0; record_tables[i]; i++)
        pack_list(&p, record_tables[i], now, before);
    return p.failed ? -EIO : 0;
}
