#include "lines.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../agent/list.h"
#include "text.h"

void lines_finish(struct lines *l)
{
    for (int i = 0; i < l->n; i++)
        free(l->v[i].text);
    free(l->v);
    *l = (struct lines){0};
}

static void push(struct lines *l, enum style style, int heading, const char *raw)
{
    list_must_have_room(l->v, l->n, l->cap);
    size_t size = strlen(raw) * 3 + 1; // a broken byte grows to the replacement character
    char *text = malloc(size);
    if (!text)
        abort();
    text_clean(text, size, raw);
    l->v[l->n++] = (struct line){.style = style, .heading = heading, .text = text};
}

void lines_add(struct lines *l, enum style style, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    push(l, style, 0, text);
}

// Bytes of text that fit into width columns, cut after a space where there is one.
static size_t fitting(const char *text, int width)
{
    size_t at = 0, space = 0;
    int used = 0, w, n;
    uint32_t ch;
    while ((n = text_next(text + at, &ch, &w)) > 0 && used + w <= width) {
        at += (size_t)n;
        used += w;
        if (ch == ' ')
            space = at;
    }
    if (!text[at])
        return at;
    if (text[at] == ' ')
        return at;
    if (space > 0)
        return space;
    return at > 0 ? at : (size_t)n; // one character always goes, or this would never end
}

void lines_wrap(struct lines *l, enum style style, const char *heading, int indent, int width,
                const char *text)
{
    int room = width - indent > 8 ? width - indent : 8;
    bool first = true;
    do {
        char row[2048];
        size_t n = fitting(text, room);
        int head = snprintf(row, sizeof(row), "%-*s", indent, first ? heading : "");
        snprintf(row + head, sizeof(row) - (size_t)head, "%.*s", (int)n, text);
        push(l, style, first && *heading ? head : 0, row);
        text += n;
        text += strspn(text, " ");
        first = false;
    } while (*text);
}

void lines_draw(const struct lines *l, struct pane p, int first)
{
    for (int y = 0; y < p.r.h && first + y < l->n; y++) {
        int left = l->n - first - y;
        if (y == p.r.h - 1 && left > 1) {
            pane_printf(p, y, 1, STYLE_DIM, "... %d more lines (Enter)", left);
            return;
        }
        const struct line *line = &l->v[first + y];
        pane_text(p, y, 1, line->style, line->text);
        for (int x = 1; x <= line->heading && x < p.r.w; x++)
            p.canvas->cells[(p.r.y + y) * p.canvas->cols + p.r.x + x].style = STYLE_STRONG;
    }
}

static void print_text(const char *text, size_t size, bool ascii, FILE *out)
{
    uint32_t ch;
    int width, n;
    for (size_t at = 0; at < size && (n = text_next(text + at, &ch, &width)) > 0; at += (size_t)n) {
        if (!ascii || ch < 0x80)
            fwrite(text + at, 1, (size_t)n, out);
        else if (width > 0)
            fputc('?', out);
    }
}

void lines_print(const struct lines *l, bool ascii, FILE *out)
{
    for (int i = 0; i < l->n; i++) {
        size_t n = strlen(l->v[i].text);
        while (n > 0 && l->v[i].text[n - 1] == ' ')
            n--;
        fprintf(out, "%*s", n > 0 ? l->v[i].indent : 0, "");
        print_text(l->v[i].text, n, ascii, out);
        fputc('\n', out);
    }
}
