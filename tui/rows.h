// What rows.c, rows_sort.c and match.c share.
#ifndef LOOPSCOPE_TUI_ROWS_H
#define LOOPSCOPE_TUI_ROWS_H

#include "match.h"
#include "view.h"

// Unsigned order that equals the wanted one; unknown comes last either way.
uint64_t rows_sort_bits(int64_t key, bool descending);
void rows_sort(struct entry *v, struct entry *spare, int n); // by key, stable
void rows_sort_by_text(const struct ui *ui, const struct table *table, struct table_state *t,
                       bool descending);

#endif
