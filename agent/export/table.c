#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "clean.h"

#define MAX_COLUMNS 16
#define CELL        256

struct table {
    int ncolumns, ncells, cap;
    bool right[MAX_COLUMNS];
    char (*cells)[CELL]; // titles first, row by row
};

struct table *table_new(const char *titles)
{
    struct table *t = calloc(1, sizeof(*t));
    if (!t)
        abort();
    char copy[512], *at = copy;
    snprintf(copy, sizeof(copy), "%s", titles);
    for (char *title; (title = strsep(&at, "|")) && t->ncolumns < MAX_COLUMNS;) {
        t->right[t->ncolumns++] = *title == '>';
        table_cell(t, *title == '>' ? title + 1 : title);
    }
    return t;
}

void table_cell(struct table *t, const char *text)
{
    list_must_have_room(t->cells, t->ncells, t->cap);
    clean(text && *text ? text : "-", 0, t->cells[t->ncells++], CELL);
}

void table_cellf(struct table *t, const char *fmt, ...)
{
    char text[CELL];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    table_cell(t, text);
}

static void spaces(FILE *out, size_t n)
{
    fprintf(out, "%*s", (int)n, "");
}

static void print_cell(const struct table *t, const char *cell, int column, size_t width,
                       size_t room, FILE *out)
{
    bool last = column == t->ncolumns - 1;
    char cut[CELL];
    if (last && room >= 8)
        cell = clean(cell, (int)room, cut, sizeof(cut));
    size_t used = clean_width(cell);
    size_t pad = width > used ? width - used : 0;
    if (t->right[column])
        spaces(out, pad);
    fputs(cell, out);
    if (!t->right[column] && !last)
        spaces(out, pad);
    if (!last)
        fputs("  ", out);
}

void table_print(struct table *t, FILE *out, int width, bool color)
{
    size_t widths[MAX_COLUMNS] = {0}, before = 0;
    for (int i = 0; i < t->ncells; i++) {
        size_t w = clean_width(t->cells[i]);
        if (w > widths[i % t->ncolumns])
            widths[i % t->ncolumns] = w;
    }
    for (int i = 0; i < t->ncolumns - 1; i++)
        before += widths[i] + 2;
    size_t room = (size_t)width > before ? (size_t)width - before : 0;
    for (int i = 0; i < t->ncells; i++) {
        int column = i % t->ncolumns;
        if (i == 0 && color)
            fputs("\033[1m", out);
        print_cell(t, t->cells[i], column, widths[column], room, out);
        if (column == t->ncolumns - 1)
            fputs(i < t->ncolumns && color ? "\033[0m\n" : "\n", out);
    }
    free(t->cells);
    free(t);
}
