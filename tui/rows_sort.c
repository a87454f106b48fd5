// Sorts rows: by radix on a 64-bit key, or by text.
#include <string.h>

#include "rows.h"

#define STEP 4 // bytes of a text that are sorted at once: each is a pass over all rows

uint64_t rows_sort_bits(int64_t key, bool descending)
{
    if (key == SNAP_UNKNOWN)
        return UINT64_MAX;
    uint64_t u = (uint64_t)key ^ (1ULL << 63);
    return descending ? UINT64_MAX - u : u;
}

// The next bytes of a text from a place within it on, as a number in the same order.
static uint64_t text_bits(const char *text, size_t from, bool descending)
{
    uint64_t u = 0;
    text += from; // there is as much: all rows are equal so far
    for (int i = 0, live = 1; i < STEP; i++) {
        live = live && *text;
        u = u << 8 | (live ? (unsigned char)*text++ : 0);
    }
    return descending ? ~u : u;
}

static void insertion_sort(struct entry *v, int n)
{
    for (int i = 1; i < n; i++) {
        struct entry e = v[i];
        int at = i;
        for (; at > 0 && v[at - 1].key > e.key; at--)
            v[at] = v[at - 1];
        v[at] = e;
    }
}

// The bits in which keys differ; 0 also when they are in order already.
static uint64_t bits_to_sort(const struct entry *v, int n)
{
    uint64_t differ = 0;
    bool in_order = true;
    for (int i = 1; i < n; i++) {
        differ |= v[i].key ^ v[0].key;
        in_order &= v[i - 1].key <= v[i].key;
    }
    return in_order ? 0 : differ;
}

// Least significant byte first: stable. A byte that is the same everywhere costs nothing.
void rows_sort(struct entry *v, struct entry *spare, int n)
{
    static const int buckets = 256;
    if (n <= 32) {
        insertion_sort(v, n);
        return;
    }
    struct entry *from = v, *to = spare;
    uint64_t differ = bits_to_sort(v, n);
    for (int shift = 0; shift < 64; shift += 8) {
        int count[256] = {0};
        if ((differ >> shift & 0xff) == 0)
            continue;
        for (int i = 0; i < n; i++)
            count[from[i].key >> shift & 0xff]++;
        for (int i = 0, sum = 0; i < buckets; i++) {
            int c = count[i];
            count[i] = sum;
            sum += c;
        }
        for (int i = 0; i < n; i++)
            to[count[from[i].key >> shift & 0xff]++] = from[i];
        struct entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != v)
        memcpy(v, from, sizeof(*v) * (size_t)n);
}

struct text_sort {
    const struct ui *ui;
    const struct table *table;
    int column;
    bool descending;
    struct entry *spare;
};

#define TEXT_COMPARED 256 // bytes; what is equal so far keeps its order

static const char *text_of(const struct text_sort *s, const struct entry *e, char *buf, size_t size)
{
    return s->table->text(s->ui, e->index, s->column, buf, size);
}

// How many bytes all rows share from a place on: paths share much, and what they share needs no sorting.
static size_t common_from(const struct text_sort *s, const struct entry *v, int n, size_t from)
{
    char first[TEXT_COMPARED], buf[256];
    size_t len = strlen(text_of(s, &v[0], buf, sizeof(buf)));
    len = len < TEXT_COMPARED ? len : TEXT_COMPARED;
    memcpy(first, text_of(s, &v[0], buf, sizeof(buf)), len);
    for (int i = 1; i < n && len > from; i++) {
        const char *text = text_of(s, &v[i], buf, sizeof(buf));
        if (strncmp(text + from, first + from, len - from) == 0) // the usual case, and quick
            continue;
        size_t same = from;
        while (same < len &&
               text[same] == first[same]) // a shorter text ends in a NUL, which differs
            same++;
        len = same;
    }
    return len > from ? len : from;
}

// Some bytes at a time: rows that are equal so far form runs, which are sorted by the next ones.
static void sort_by_text(const struct text_sort *s, struct entry *v, int n, size_t from)
{
    char buf[256];
    const uint64_t flip = s->descending ? UINT64_MAX : 0;
    from = common_from(s, v, n, from);
    for (int i = 0; i < n; i++)
        v[i].key = text_bits(text_of(s, &v[i], buf, sizeof(buf)), from, s->descending);
    rows_sort(v, s->spare, n);
    for (int i = 0, stop; i < n; i = stop) {
        for (stop = i + 1; stop < n && v[stop].key == v[i].key; stop++)
            ;
        bool ended = ((v[i].key ^ flip) & 0xff) == 0; // the texts, within these bytes
        if (stop - i > 1 && !ended && from + STEP < TEXT_COMPARED)
            sort_by_text(s, v + i, stop - i, from + STEP);
    }
}

void rows_sort_by_text(const struct ui *ui, const struct table *table, struct table_state *t,
                       bool descending)
{
    struct text_sort s = {ui, table, t->sort, descending, t->spare};
    if (t->n > 1)
        sort_by_text(&s, t->order, t->n, 0);
}
