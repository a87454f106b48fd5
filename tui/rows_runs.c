// The order of many rows.
//
// A frame may cost 5 ms, and to sort 100 000 rows takes that and more; but no more than a screen of them is ever
// looked at. So the order is a row of runs: each run stands where it belongs, and within a run the items are put in
// order only when a row of it is wanted (rows_settle). To look at a row of a long run deals it into up to 256 shorter
// ones by the bits in which its keys differ first, until the run is short enough to be sorted whole.
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define SHORT    1024 // rows of a run that is sorted whole
#define DEAL_MAX 256

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
    } else if (!t->runs.texts || text_key_is_last(k, v->key, (size_t)run->from)) {
        run->settled = true;
    } else {
        run->from = (short)text_keys_next(k, v, n, (size_t)run->from);
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
    if (t->runs.texts)
        text_sort(k, t->order + run->first, t->spare, n, (size_t)run->from);
    else
        rows_sort(t->order + run->first, t->spare, n);
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

static void begin(struct table_state *t, bool texts, size_t from)
{
    reserve_runs(&t->runs, 1);
    t->runs.v[0] = (struct run){.first = 0, .from = (short)from};
    t->runs.n = 1;
    t->runs.texts = texts;
}

void rows_begin_by_text(struct text_keys *k, struct table_state *t, bool have_keys)
{
    begin(t, true, text_keys_first(k, t->order, t->n, have_keys));
}

void rows_begin_by_number(struct table_state *t)
{
    begin(t, false, 0);
}
