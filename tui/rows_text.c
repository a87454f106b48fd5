// The order by a column of text.
//
// A frame may cost 5 ms, and to sort 100 000 paths takes twice that; but no more than a screen of them is
// ever looked at. So the order is a row of runs: each run stands where it belongs, and within a run the
// items are put in order only when a row of it is wanted (rows_settle). To look at a row of a long run deals
// it into up to 256 shorter ones by the bits in which its texts differ first, until the run is short enough
// to be sorted whole.
//
// Most texts of a run begin alike, as paths do. How long that beginning is gets guessed from a few of them,
// and is checked while the others are read for their keys: a text is in cold memory and is visited once.
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define STEP     8    // bytes of a text in a key
#define SHORT    1024 // rows of a run that is sorted whole
#define SAMPLES  16
#define DEAL_MAX 256

static const char *text_of(const struct text_keys *k, int index, char *buf, size_t size)
{
    return k->table->text(k->ui, index, k->column, buf, size);
}

// The text's next bytes as a number in the same order.
static uint64_t bits_at(const char *text, size_t len, bool descending)
{
    uint64_t u = 0;
    if (len >= STEP) {
        memcpy(&u, text, STEP);
        u = be64toh(u);
    } else {
        for (size_t i = 0; i < STEP; i++)
            u = u << 8 | (i < len ? (unsigned char)text[i] : 0);
    }
    return descending ? ~u : u;
}

static bool bits_ended(uint64_t bits, bool descending)
{
    return ((descending ? ~bits : bits) & 0xff) == 0;
}

// The beginning is no longer than what the text has of it, from a place on where both are the same.
static void shorten(struct text_keys *k, const char *text, size_t from)
{
    size_t n = from;
    while (n < k->holds && text[n] == k->common[n]) // a shorter text ends in a NUL, which differs
        n++;
    k->holds = n;
}

static void guess(struct text_keys *k, const char *text, size_t from)
{
    if (k->guessed++ > 0) {
        shorten(k, text, from);
    } else {
        k->holds = strnlen(text, sizeof(k->common));
        memcpy(k->common, text, k->holds);
    }
    k->shared = k->holds;
}

void text_keys_begin(struct text_keys *k, const struct ui *ui, const struct table *table,
                     const struct table_state *t)
{
    char buf[256];
    int count = table->count(ui), step = count / SAMPLES + 1;
    *k = (struct text_keys){
        .ui = ui, .table = table, .column = t->sort, .descending = rows_descending(t, table)};
    for (int i = 0; i < count; i += step)
        if (!table->include || table->include(ui, i))
            guess(k, text_of(k, i, buf, sizeof(buf)), 0);
}

uint64_t text_key(struct text_keys *k, const char *text)
{
    size_t len = strlen(text);
    if (len >= k->shared && memcmp(text, k->common, k->shared) == 0)
        return bits_at(text + k->shared, len - k->shared, k->descending);
    shorten(k, text, 0);
    return 0; // of no use: all are to be read again
}

// The same again, now that it is known how long all are the same.
static void read_again(struct text_keys *k, struct entry *v, int n)
{
    char buf[256];
    k->shared = k->holds;
    for (int i = 0; i < n; i++) {
        const char *text = text_of(k, v[i].index, buf, sizeof(buf)) + k->shared;
        v[i].key = bits_at(text, strlen(text), k->descending);
    }
}

// The keys of a run by the bytes from a place on, up to which its texts are the same. Returns where they
// begin: further on if the texts are the same there, too.
static size_t key_run(struct text_keys *k, struct entry *v, int n, size_t from)
{
    char buf[256];
    k->guessed = 0;
    for (int i = 0; i < n; i += n / SAMPLES + 1)
        guess(k, text_of(k, v[i].index, buf, sizeof(buf)), from);
    for (int i = 0; i < n; i++)
        v[i].key = text_key(k, text_of(k, v[i].index, buf, sizeof(buf)));
    if (k->holds < k->shared)
        read_again(k, v, n);
    return k->shared;
}

// A run whose keys are of the bytes from a place on. Rows that are equal in them go by the next ones.
static void sort_run(struct text_keys *k, struct entry *v, struct entry *spare, int n, size_t from)
{
    rows_sort(v, spare, n);
    for (int i = 0, stop; i < n; i = stop) {
        for (stop = i + 1; stop < n && v[stop].key == v[i].key; stop++)
            ;
        if (stop - i > 1 && !bits_ended(v[i].key, k->descending) && from + STEP < TEXT_COMPARED)
            sort_run(k, v + i, spare, stop - i, key_run(k, v + i, stop - i, from + STEP));
    }
}

// ---- runs ----

static void reserve_runs(struct runs *runs, int n)
{
    if (n <= runs->cap)
        return;
    runs->cap = n + n / 2 + DEAL_MAX;
    runs->v = realloc(runs->v, sizeof(*runs->v) * (size_t)runs->cap);
    if (!runs->v)
        abort();
}

static int run_end(const struct table_state *t, int r)
{
    return r + 1 < t->runs.n ? t->runs.v[r + 1].first : t->n;
}

static int run_of_row(const struct runs *runs, int row)
{
    int low = 0, high = runs->n - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (runs->v[middle].first <= row)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static uint64_t bits_that_differ(const struct entry *v, int n)
{
    uint64_t differ = 0;
    for (int i = 1; i < n; i++)
        differ |= v[i].key ^ v[0].key;
    return differ;
}

// Deals the rows by 8 bits of their keys; first[] says where each heap begins, and first[DEAL_MAX] its end.
static void deal(struct entry *v, struct entry *spare, int n, int shift, int first[DEAL_MAX + 1])
{
    int at[DEAL_MAX];
    memset(first, 0, sizeof(*first) * (DEAL_MAX + 1));
    for (int i = 0; i < n; i++)
        first[(v[i].key >> shift & 0xff) + 1]++;
    for (int i = 0; i < DEAL_MAX; i++) {
        first[i + 1] += first[i];
        at[i] = first[i];
    }
    memcpy(spare, v, sizeof(*v) * (size_t)n);
    for (int i = 0; i < n; i++)
        v[at[spare[i].key >> shift & 0xff]++] = spare[i];
}

// Replaces a run by those that its rows were dealt into.
static void replace_run(struct runs *runs, int r, const int first[DEAL_MAX + 1])
{
    struct run old = runs->v[r], made[DEAL_MAX];
    int n = 0;
    for (int i = 0; i < DEAL_MAX; i++)
        if (first[i + 1] > first[i])
            made[n++] = (struct run){.first = old.first + first[i], .from = old.from};
    reserve_runs(runs, runs->n + n - 1);
    memmove(runs->v + r + n, runs->v + r + 1, sizeof(*runs->v) * (size_t)(runs->n - r - 1));
    memcpy(runs->v + r, made, sizeof(*made) * (size_t)n);
    runs->n += n - 1;
}

// Makes a long run shorter, or finds it in order.
static void split_run(struct text_keys *k, struct table_state *t, int r)
{
    struct run *run = &t->runs.v[r];
    struct entry *v = t->order + run->first;
    int first[DEAL_MAX + 1], n = run_end(t, r) - run->first;
    uint64_t differ = bits_that_differ(v, n);
    if (differ) {
        int shift = 63 - __builtin_clzll(differ) - 7;
        deal(v, t->spare, n, shift > 0 ? shift : 0, first);
        replace_run(&t->runs, r, first);
    } else if (bits_ended(v->key, k->descending) || run->from + STEP >= TEXT_COMPARED) {
        run->settled = true;
    } else {
        run->from = (short)key_run(k, v, n, (size_t)run->from + STEP);
    }
}

// A step towards the order of a run.
static void order_run(struct text_keys *k, struct table_state *t, int r)
{
    struct run *run = &t->runs.v[r];
    int n = run_end(t, r) - run->first;
    if (n > SHORT) {
        split_run(k, t, r);
        return;
    }
    sort_run(k, t->order + run->first, t->spare, n, (size_t)run->from);
    run->settled = true;
}

static struct text_keys keys_for(const struct ui *ui, enum table_id id)
{
    const struct table_state *t = &ui->tables[id];
    return (struct text_keys){.ui = ui,
                              .table = tables[id],
                              .column = t->sort,
                              .descending = rows_descending(t, tables[id])};
}

void rows_settle(struct ui *ui, enum table_id id, int first, int stop)
{
    struct table_state *t = &ui->tables[id];
    if (t->runs.n == 0)
        return;
    struct text_keys k = keys_for(ui, id);
    for (int row = first < 0 ? 0 : first; row < stop && row < t->n;) {
        int r = run_of_row(&t->runs, row);
        if (t->runs.v[r].settled)
            row = run_end(t, r);
        else
            order_run(&k, t, r);
    }
}

int rows_settle_item(struct ui *ui, enum table_id id, int row)
{
    struct table_state *t = &ui->tables[id];
    if (t->runs.n == 0)
        return row;
    struct text_keys k = keys_for(ui, id);
    for (int r; !t->runs.v[r = run_of_row(&t->runs, row)].settled;) {
        int index = t->order[row].index;
        row = t->runs.v[r].first; // within its run it may stand anywhere now
        order_run(&k, t, r);
        while (t->order[row].index != index)
            row++;
    }
    return row;
}

void rows_begin_by_text(struct text_keys *k, struct table_state *t, bool have_keys)
{
    if (!have_keys)
        key_run(k, t->order, t->n, 0);
    else if (k->holds < k->shared)
        read_again(k, t->order, t->n);
    reserve_runs(&t->runs, 1);
    t->runs.v[0] = (struct run){.first = 0, .from = (short)k->shared};
    t->runs.n = 1;
}
