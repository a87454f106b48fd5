// What rows.c, rows_sort.c, rows_runs.c and rows_text.c share.
#ifndef LOOPSCOPE_TUI_ROWS_H
#define LOOPSCOPE_TUI_ROWS_H

#include "match.h"
#include "view.h"

// Unsigned order that equals the wanted one; unknown comes last either way.
uint64_t rows_sort_bits(int64_t key, bool descending);
void rows_sort(struct entry *v, struct entry *spare, int n); // by key, stable
bool rows_descending(const struct table_state *t, const struct table *table);

#define TEXT_COMPARED 256 // bytes; texts that are equal so far keep their order

// The keys of texts: some bytes from where they begin to differ on.
struct text_keys {
    const struct ui *ui;
    const struct table *table;
    int column;
    bool descending;
    char common[TEXT_COMPARED]; // how they begin
    int guessed;
    size_t shared, holds; // bytes of it: as guessed, and as they were found to share
};

void text_keys_begin(struct text_keys *k, const struct ui *ui, const struct table *table,
                     const struct table_state *t);
uint64_t text_key(struct text_keys *k, const char *text, size_t len);
// The keys of rows that become one run; have_keys: they are text_key's, of all items together. Returns the byte of the
// texts from which they are.
size_t text_keys_first(struct text_keys *k, struct entry *v, int n, bool have_keys);
// Of rows whose texts are the same in their keys: by the bytes behind these.
size_t text_keys_next(struct text_keys *k, struct entry *v, int n, size_t from);
bool text_key_is_last(const struct text_keys *k, uint64_t key,
                      size_t from); // no byte follows that would count
// Rows whose keys are of the bytes from a place on.
void text_sort(struct text_keys *k, struct entry *v, struct entry *spare, int n, size_t from);

// The rows of t->order become one run, to be put in order where they are looked at.
void rows_begin_by_text(struct text_keys *k, struct table_state *t, bool have_keys);
void rows_begin_by_number(struct table_state *t);

#endif
