// The order of a table's rows.
//
// A snapshot may hold 100 000 spawn sites, and a frame may cost 5 ms: so rows are made anew only when
// the picture, the filter or the sort changes, sorting is by radix on a 64-bit key, and ids (hashes of
// strings) are computed only where they are needed.
//
// The cursor sticks to its item, and for some snapshots after a key rows keep the order they had, so
// that nothing jumps away under the hand.
#include <stdlib.h>
#include <string.h>

#include "view.h"

#define HOLD_MAX 4096 // rows; with more, keeping the order would cost more than the frame may

uint64_t hash_text(uint64_t h, const char *text)
{
    if (!text)
        return h * 31 + 1;
    size_t n = strlen(text);
    uint64_t word;
    for (; n >= 8; n -= 8, text += 8) {
        memcpy(&word, text, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 29;
    }
    word = n;
    for (size_t i = 0; i < n; i++)
        word = word << 8 | (unsigned char)text[i];
    h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
    return h ^ h >> 32;
}

// Unsigned order that equals the wanted one; unknown comes last either way.
static uint64_t sort_bits(int64_t key, bool descending)
{
    if (key == SNAP_UNKNOWN)
        return UINT64_MAX;
    uint64_t u = (uint64_t)key ^ (1ULL << 63);
    return descending ? UINT64_MAX - u : u;
}

// Eight bytes of a text from a place on, as a number in the same order.
static uint64_t text_bits(const char *text, size_t from, bool descending)
{
    uint64_t u = 0;
    size_t len = strnlen(text, from + 8), n = len > from ? len - from : 0;
    for (size_t i = 0; i < 8; i++)
        u = u << 8 | (i < n ? (unsigned char)text[from + i] : 0);
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

// Least significant byte first; a byte that is the same everywhere costs nothing. Stable.
static void radix_sort(struct entry *v, struct entry *spare, int n)
{
    static const int buckets = 256;
    if (n <= 32) {
        insertion_sort(v, n);
        return;
    }
    struct entry *from = v, *to = spare;
    for (int shift = 0; shift < 64; shift += 8) {
        int count[256] = {0};
        for (int i = 0; i < n; i++)
            count[from[i].key >> shift & 0xff]++;
        if (n > 0 && count[from[0].key >> shift & 0xff] == n)
            continue;
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

// Eight bytes at a time: rows that are equal so far form runs, which are sorted by the next eight.
static void sort_by_text(const struct text_sort *s, struct entry *v, int n, size_t from)
{
    char buf[256];
    const uint64_t end = s->descending ? UINT64_MAX : 0; // the text ended before these bytes
    for (int i = 0; i < n; i++)
        v[i].key = text_bits(s->table->text(s->ui, v[i].index, s->column, buf, sizeof(buf)), from,
                             s->descending);
    radix_sort(v, s->spare, n);
    for (int i = 0, stop; i < n; i = stop) {
        for (stop = i + 1; stop < n && v[stop].key == v[i].key; stop++)
            ;
        if (stop - i > 1 && v[i].key != end && from + 8 < TEXT_COMPARED)
            sort_by_text(s, v + i, stop - i, from + 8);
    }
}

static bool descending(const struct table_state *t, const struct table *table)
{
    bool down = t->sort >= 0 && table->columns[t->sort].big_first;
    return down != t->invert;
}

static void sort_rows(const struct ui *ui, const struct table *table, struct table_state *t)
{
    bool down = descending(t, table);
    if (t->sort >= 0 && table->columns[t->sort].text) {
        struct text_sort s = {ui, table, t->sort, down, t->order + t->cap};
        sort_by_text(&s, t->order, t->n, 0);
        return;
    }
    for (int i = 0; i < t->n; i++)
        t->order[i].key = sort_bits(table->key(ui, t->order[i].index, t->sort), down);
    radix_sort(t->order, t->order + t->cap, t->n);
}

bool rows_match(const struct ui *ui, const struct table *table, int index, const char *needle)
{
    char buf[256];
    for (int c = 0; c < table->ncolumns; c++)
        if (table->columns[c].text &&
            strcasestr(table->text(ui, index, c, buf, sizeof(buf)), needle))
            return true;
    return false;
}

static bool passes(const struct ui *ui, const struct table *table, const char *filter, int index)
{
    if (filter[0] == '!')
        return !filter[1] || !rows_match(ui, table, index, filter + 1);
    return !filter[0] || rows_match(ui, table, index, filter);
}

static void reserve(struct table_state *t, int n)
{
    if (n <= t->cap)
        return;
    free(t->order);
    t->cap = n + n / 4 + 16;
    t->order = malloc(sizeof(*t->order) * 2 * (size_t)t->cap); // the second half is for sorting
    if (!t->order)
        abort();
}

struct place { // where an item stood before
    uint64_t id;
    int row;
};

static int compare_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

// Gives the rows the order of `before`; those that are new come last.
static void keep_order(const struct ui *ui, const struct table *table, struct table_state *t,
                       struct place *before, int n)
{
    qsort(before, (size_t)n, sizeof(*before), compare_place);
    for (int i = 0; i < t->n; i++) {
        struct place key = {table->id(ui, t->order[i].index), 0};
        struct place *p = bsearch(&key, before, (size_t)n, sizeof(*before), compare_place);
        t->order[i].key = p ? (uint64_t)p->row : UINT64_MAX;
    }
    radix_sort(t->order, t->order + t->cap, t->n);
}

// The ids in the present order, looked up in the picture it was made from. Remembered in the keys
// themselves: they are not needed any more.
static void remember_ids(const struct ui *ui, const struct table *table, struct table_state *t)
{
    for (int i = 0; i < t->n && t->n <= HOLD_MAX; i++)
        t->order[i].key = table->id(ui, t->order[i].index);
}

static struct place *places_before(const struct table_state *t)
{
    struct place *before = calloc((size_t)t->n + 1, sizeof(*before));
    if (!before)
        abort();
    for (int i = 0; i < t->n; i++)
        before[i] = (struct place){t->order[i].key, i};
    return before;
}

static void collect(const struct ui *ui, const struct table *table, struct table_state *t)
{
    int count = table->count(ui);
    reserve(t, count);
    t->n = t->total = 0;
    for (int i = 0; i < count; i++) {
        if (table->include && !table->include(ui, i))
            continue;
        t->total++;
        if (passes(ui, table, t->filter, i))
            t->order[t->n++] = (struct entry){.index = i};
    }
}

static int row_of_index(const struct table_state *t, int index)
{
    for (int i = 0; i < t->n; i++)
        if (t->order[i].index == index)
            return i;
    return -1;
}

static int row_of_cursor(const struct ui *ui, const struct table *table, struct table_state *t)
{
    if (t->hint < table->count(ui) && table->id(ui, t->hint) == t->cursor) {
        int row = row_of_index(t, t->hint);
        if (row >= 0)
            return row;
    }
    for (int i = 0; i < t->n; i++)
        if (table->id(ui, t->order[i].index) == t->cursor)
            return i;
    return -1;
}

// The item is gone: the cursor stays where it was on the screen and takes what is there now.
static void place_cursor(const struct ui *ui, const struct table *table, struct table_state *t)
{
    int row = t->cursor ? row_of_cursor(ui, table, t) : -1;
    if (row < 0)
        row = t->row < t->n ? t->row : t->n - 1;
    if (row < 0)
        row = 0;
    t->row = row;
    if (t->n > 0) {
        t->hint = t->order[row].index;
        t->cursor = table->id(ui, t->hint);
    }
}

// The row that the user wants to keep in sight goes to the top.
static void pin_cursor(struct table_state *t)
{
    struct entry kept = t->order[t->row];
    memmove(t->order + 1, t->order, sizeof(*t->order) * (size_t)t->row);
    t->order[0] = kept;
    t->row = 0;
}

void rows_update(struct ui *ui, enum table_id id)
{
    struct table_state *t = &ui->tables[id];
    const struct table *table = tables[id];
    if (!ui->snap) {
        t->n = t->total = 0;
        return;
    }
    bool same_picture = t->version == ui->snap->version;
    bool same_wishes = t->generation == ui->generation;
    if (same_picture && same_wishes)
        return;
    bool hold = same_wishes && ui->hold > 0 && t->n > 0 && t->n <= HOLD_MAX && !table->arrange;
    struct place *before = hold ? places_before(t) : NULL;
    int nbefore = t->n;
    collect(ui, table, t);
    if (hold)
        keep_order(ui, table, t, before, nbefore);
    else
        sort_rows(ui, table, t);
    free(before);
    if (table->arrange)
        table->arrange(ui, t);
    place_cursor(ui, table, t);
    if (t->follow && t->n > 0)
        pin_cursor(t);
    remember_ids(ui, table, t);
    t->version = ui->snap->version;
    t->generation = ui->generation;
}

void rows_scroll(struct table_state *t, int height)
{
    if (height < 1)
        height = 1;
    if (t->top > t->row)
        t->top = t->row;
    if (t->top < t->row - height + 1)
        t->top = t->row - height + 1;
    if (t->top > t->n - height)
        t->top = t->n - height;
    if (t->top < 0)
        t->top = 0;
}

void rows_move(struct ui *ui, enum table_id id, int to)
{
    struct table_state *t = &ui->tables[id];
    if (t->n == 0)
        return;
    t->row = to < 0 ? 0 : to >= t->n ? t->n - 1 : to;
    t->hint = t->order[t->row].index;
    t->cursor = tables[id]->id(ui, t->hint);
}

bool rows_search(struct ui *ui, enum table_id id, const char *needle, int from, int direction)
{
    struct table_state *t = &ui->tables[id];
    if (!*needle)
        return false;
    for (int i = 0; i < t->n; i++) {
        int row = ((from + i * direction) % t->n + t->n) % t->n;
        if (rows_match(ui, tables[id], t->order[row].index, needle)) {
            rows_move(ui, id, row);
            return true;
        }
    }
    return false;
}
