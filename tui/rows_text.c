// Keys of a column of text, some bytes at a time.
//
// Most texts of a run begin alike, as paths do. How long that beginning is gets guessed from a few of them,
// and is checked while the others are read for their keys: a text is in cold memory and is visited once.
#include <endian.h>
#include <string.h>

#include "rows.h"

#define STEP    8 // bytes of a text in a key
#define SAMPLES 16

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

bool text_key_is_last(const struct text_keys *k, uint64_t key, size_t from)
{
    return bits_ended(key, k->descending) || from + STEP >= TEXT_COMPARED;
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

uint64_t text_key(struct text_keys *k, const char *text, size_t len)
{
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
static size_t key_rows(struct text_keys *k, struct entry *v, int n, size_t from)
{
    char buf[256];
    k->guessed = 0;
    for (int i = 0; i < n; i += n / SAMPLES + 1)
        guess(k, text_of(k, v[i].index, buf, sizeof(buf)), from);
    for (int i = 0; i < n; i++) {
        const char *text = text_of(k, v[i].index, buf, sizeof(buf));
        v[i].key = text_key(k, text, strlen(text));
    }
    if (k->holds < k->shared)
        read_again(k, v, n);
    return k->shared;
}

size_t text_keys_next(struct text_keys *k, struct entry *v, int n, size_t from)
{
    return key_rows(k, v, n, from + STEP);
}

size_t text_keys_first(struct text_keys *k, struct entry *v, int n, bool have_keys)
{
    if (!have_keys)
        key_rows(k, v, n, 0);
    else if (k->holds < k->shared)
        read_again(k, v, n);
    return k->shared;
}

void text_sort(struct text_keys *k, struct entry *v, struct entry *spare, int n, size_t from)
{
    rows_sort(v, spare, n);
    for (int i = 0, stop; i < n; i = stop) {
        for (stop = i + 1; stop < n && v[stop].key == v[i].key; stop++)
            ;
        if (stop - i > 1 && !text_key_is_last(k, v[i].key, from))
            text_sort(k, v + i, spare, stop - i, text_keys_next(k, v + i, stop - i, from));
    }
}
