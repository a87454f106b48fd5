// Columns of text, as wide as their cells. Cells are cleaned here.
#ifndef LOOPSCOPE_EXPORT_TABLE_H
#define LOOPSCOPE_EXPORT_TABLE_H

#include <stdbool.h>
#include <stdio.h>

struct table;

// Titles separated by '|'; one that begins with '>' is of a column of numbers, set right.
struct table *table_new(const char *titles);
void table_cell(struct table *t, const char *text); // the next cell; NULL or "" shows "-"
void table_cellf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Prints all rows, the last column cut so that lines have at most width columns; frees t.
void table_print(struct table *t, FILE *out, int width, bool color);

#endif
