// The order of a table's rows.
//
// A snapshot may hold 100 000 spawn sites, and a frame may cost 5 ms: so rows are made anew only when
// the picture, the filter or the sort changes; each item is visited once, in the order of the memory; an
// order is made only where it is looked at (rows_runs.c); and what depends on texts alone (a filter,
// an order by name) is kept from picture to picture as long as a hash of the texts tells that they are the
// same.
//
// The cursor sticks to its item, and for some snapshots after a key rows keep the order they had, so
// that nothing jumps away under the hand.
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define HOLD_MAX 4096 // rows; with more, keeping the order would cost more than the frame may
#define KEPT_MIN 4096 // items; with fewer there is nothing to be saved

__extension__ typedef unsigned __int128 wide;

static uint64_t fold(uint64_t a, uint64_t b)
{
    wide p = (wide)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t load(const char *p, size_t n) // at most 8
{
    uint64_t word = 0;
    memcpy(&word, p, n);
    return word;
}

// 16 bytes a multiplication; the last ones are read from the end, over some that were read before.
static uint64_t hash_bytes(uint64_t h, const char *text, size_t n)
{
    static const uint64_t k0 = 0x9e3779b97f4a7c15ULL, k1 = 0xe7037ed1a0b428dbULL;
    h ^= n * k1;
    const char *end = text + n;
    for (; end - text > 16; text += 16)
        h = fold(load(text, 8) ^ k0, load(text + 8, 8) ^ h);
    size_t rest = (size_t)(end - text);
    if (rest >= 8)
        return fold(load(text, 8) ^ k1, load(end - 8, 8) ^ h);
    if (rest >= 4)
        return fold(load(text, 4) << 32 ^ k1, load(end - 4, 4) ^ h);
    return fold(load(text, rest) ^ k0, h ^ k1);
}

uint64_t hash_text(uint64_t h, const char *text)
{
    return text ? hash_bytes(h, text, strlen(text)) : h * 31 + 1;
}

bool rows_descending(const struct table_state *t, const struct table *table)
{
    bool down = t->sort >= 0 && table->columns[t->sort].big_first;
    return down != t->invert;
}

static bool sorts_by_text(const struct table_state *t, const struct table *table)
{
    return t->sort >= 0 && table->columns[t->sort].text;
}

static void *grown(void *old, size_t size)
{
    free(old);
    void *new = malloc(size);
    if (!new)
        abort();
    return new;
}

static void reserve(struct table_state *t, int n)
{
    if (n <= t->cap)
        return;
    t->cap = n + n / 4 + 16;
    t->order = grown(t->order, sizeof(*t->order) * (size_t)t->cap);
    t->spare = grown(t->spare, sizeof(*t->spare) * (size_t)t->cap);
    t->kept.stamps = grown(t->kept.stamps, sizeof(*t->kept.stamps) * (size_t)t->cap);
    t->kept.n = 0;
    t->n = 0;
}

void rows_finish(struct table_state *t)
{
    free(t->order);
    free(t->spare);
    free(t->kept.stamps);
    free(t->runs.v);
}

// One visit of all items.
struct sweep {
    const struct ui *ui;
    const struct table *table;
    struct table_state *t;
    struct matcher m;
    bool down, by_text, keep;
    bool text_keys; // they are made: there is no order yet that may still be good
    struct text_keys keys;
    const char *text; // of the item's sorted column, when it was looked at for its stamp
    size_t len;
    char buf[256];
};

// A hash of all that a filter or an order by text sees of an item; its lowest bit is free.
static uint64_t stamp_of(struct sweep *s, int index)
{
    char buf[256];
    uint64_t h = HASH_START;
    if (s->by_text) {
        s->text = s->table->text(s->ui, index, s->t->sort, s->buf, sizeof(s->buf));
        s->len = strlen(s->text);
        h = hash_bytes(h, s->text, s->len);
    }
    for (int c = 0; s->t->filter[0] && c < s->table->ncolumns; c++)
        if (s->table->columns[c].text && !(s->by_text && c == s->t->sort))
            h = hash_text(h, s->table->text(s->ui, index, c, buf, sizeof(buf)));
    return h << 1;
}

// Does the item pass the filter? Asks the filter only when its texts are not what they were.
static bool passes_again(struct sweep *s, int index)
{
    struct table_state *t = s->t;
    uint64_t *was = &t->kept.stamps[index], stamp = stamp_of(s, index);
    if (index < t->kept.n && (*was & ~1ULL) == stamp)
        return *was & 1;
    *was = stamp | match_item(&s->m, s->ui, s->table, index);
    t->kept.same = false;
    return *was & 1;
}

static uint64_t key_of(struct sweep *s, int index)
{
    if (!s->by_text)
        return rows_sort_bits(s->table->key(s->ui, index, s->t->sort), s->down);
    if (!s->text_keys)
        return 0;
    if (!s->keep) {
        s->text = s->table->text(s->ui, index, s->t->sort, s->buf, sizeof(s->buf));
        s->len = strlen(s->text);
    }
    return text_key(&s->keys, s->text, s->len);
}

static void begin_sweep(struct sweep *s, const struct ui *ui, const struct table *table,
                        struct table_state *t)
{
    int count = table->count(ui);
    s->ui = ui;
    s->table = table;
    s->t = t;
    s->m = matcher_make(t->filter);
    s->down = rows_descending(t, table);
    s->by_text = sorts_by_text(t, table);
    s->keep = count > KEPT_MIN && (s->by_text || t->filter[0]);
    if (s->by_text)
        text_keys_begin(&s->keys, ui, table, t);
    reserve(t, count);
    if (!s->keep || t->kept.generation != ui->generation)
        t->kept.n = 0;
    t->kept.same = s->keep && t->kept.n == count;
    s->text_keys = !t->kept.same || !t->kept.sorted;
}

// Fills t->spare with the items that are to be seen.
static int collect(struct sweep *s)
{
    struct table_state *t = s->t;
    int count = s->table->count(s->ui), n = 0;
    t->total = 0;
    for (int i = 0; i < count; i++) {
        if (s->table->include && !s->table->include(s->ui, i)) {
            if (s->keep)
                t->kept.stamps[i] = 0;
            continue;
        }
        t->total++;
        if (s->keep ? passes_again(s, i) : match_item(&s->m, s->ui, s->table, i))
            t->spare[n++] = (struct entry){.index = i, .key = key_of(s, i)};
    }
    t->kept.n = s->keep ? count : 0;
    t->kept.generation = s->ui->generation;
    return n;
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
    rows_sort(t->order, t->spare, t->n);
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
static void place_cursor(struct ui *ui, enum table_id id, struct table_state *t)
{
    int row = t->cursor ? row_of_cursor(ui, tables[id], t) : -1;
    if (row >= 0)
        row = rows_settle_item(ui, id, row);
    else
        row = t->row < t->n ? t->row : t->n - 1;
    if (row < 0)
        row = 0;
    t->row = row;
    if (t->n > 0) {
        rows_settle(ui, id, row, row + 1);
        t->hint = t->order[row].index;
        t->cursor = tables[id]->id(ui, t->hint);
    }
}

// The row that the user wants to keep in sight goes to the top.
static void pin_cursor(struct ui *ui, enum table_id id, struct table_state *t)
{
    rows_settle(ui, id, 0, t->row + 1);
    struct entry kept = t->order[t->row];
    memmove(t->order + 1, t->order, sizeof(*t->order) * (size_t)t->row);
    t->order[0] = kept;
    t->row = 0;
}

static void use_collected(struct table_state *t, int n)
{
    struct entry *made = t->spare;
    t->spare = t->order;
    t->order = made;
    t->n = n;
    t->runs.n = 0;
}

static void sort_rows(struct sweep *s)
{
    struct table_state *t = s->t;
    if (s->by_text && t->n > 0)
        rows_begin_by_text(&s->keys, t, s->text_keys);
    else if (t->n > HOLD_MAX && !s->table->arrange)
        rows_begin_by_number(t);
    else
        rows_sort(t->order, t->spare, t->n);
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
    bool sorted = t->kept.sorted && sorts_by_text(t, table);
    struct sweep sweep;
    begin_sweep(&sweep, ui, table, t);
    int n = collect(&sweep);
    if (!sorted || !t->kept.same || n != t->n) {
        use_collected(t, n);
        if (hold)
            keep_order(ui, table, t, before, nbefore);
        else
            sort_rows(&sweep);
    }
    if (t->n <= HOLD_MAX || table->arrange)
        rows_settle(ui, id, 0, t->n);
    t->kept.sorted = !hold && !table->arrange && !t->follow;
    free(before);
    if (table->arrange)
        table->arrange(ui, t);
    place_cursor(ui, id, t);
    if (t->follow && t->n > 0)
        pin_cursor(ui, id, t);
    remember_ids(ui, table, t);
    t->version = ui->snap->version;
    t->generation = ui->generation;
}

void rows_scroll(struct ui *ui, enum table_id id, int height)
{
    struct table_state *t = &ui->tables[id];
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
    rows_settle(ui, id, t->top, t->top + height);
}

void rows_move(struct ui *ui, enum table_id id, int to)
{
    struct table_state *t = &ui->tables[id];
    if (t->n == 0)
        return;
    t->row = to < 0 ? 0 : to >= t->n ? t->n - 1 : to;
    rows_settle(ui, id, t->row, t->row + 1);
    t->hint = t->order[t->row].index;
    t->cursor = tables[id]->id(ui, t->hint);
}

bool rows_search(struct ui *ui, enum table_id id, const char *needle, int from, int direction)
{
    struct table_state *t = &ui->tables[id];
    struct matcher m = matcher_make_plain(needle);
    if (!*needle)
        return false;
    for (int i = 0; i < t->n; i++) {
        int row = ((from + i * direction) % t->n + t->n) % t->n;
        rows_settle(ui, id, row, row + 1);
        if (match_item(&m, ui, tables[id], t->order[row].index)) {
            rows_move(ui, id, row);
            return true;
        }
    }
    return false;
}
