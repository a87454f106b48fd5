#include "canvas.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static const char style_letters[STYLE_COUNT] = {
    [STYLE_TEXT] = '.',     [STYLE_DIM] = 'd',    [STYLE_STRONG] = 'b', [STYLE_CRITICAL] = 'C',
    [STYLE_WARNING] = 'W',  [STYLE_INFO] = 'i',   [STYLE_OK] = 'o',     [STYLE_SCOPE] = 's',
    [STYLE_HEADER] = 'h',   [STYLE_TAB] = 't',    [STYLE_KEY] = 'k',    [STYLE_KEY_LABEL] = 'l',
    [STYLE_DISABLED] = 'x', [STYLE_BANNER] = 'B', [STYLE_HEAT1] = '1',  [STYLE_HEAT2] = '2',
    [STYLE_HEAT3] = '3',    [STYLE_HEAT4] = '4',
};

static const uint8_t mono[STYLE_COUNT] = {
    [STYLE_STRONG] = LOOK_BOLD,
    [STYLE_CRITICAL] = LOOK_BOLD | LOOK_UNDERLINE,
    [STYLE_WARNING] = LOOK_BOLD,
    [STYLE_SCOPE] = LOOK_UNDERLINE,
    [STYLE_HEADER] = LOOK_BOLD | LOOK_UNDERLINE,
    [STYLE_TAB] = LOOK_BOLD | LOOK_REVERSE,
    [STYLE_KEY] = LOOK_BOLD,
    [STYLE_KEY_LABEL] = LOOK_REVERSE,
    [STYLE_BANNER] = LOOK_BOLD | LOOK_REVERSE,
    [STYLE_HEAT3] = LOOK_BOLD,
    [STYLE_HEAT4] = LOOK_BOLD,
};

unsigned style_mono(unsigned style)
{
    unsigned look = mono[style & 0x3f];
    if (style & STYLE_SELECTED)
        look ^= LOOK_REVERSE;
    if (style & STYLE_MATCH)
        look |= LOOK_BOLD | LOOK_UNDERLINE | LOOK_REVERSE;
    return look;
}

static const struct cell blank = {.ch = ' ', .style = STYLE_TEXT, .width = 1};

struct canvas *canvas_new(int rows, int cols, bool ascii)
{
    struct canvas *c = calloc(1, sizeof(*c));
    if (!c)
        abort();
    c->ascii = ascii;
    canvas_resize(c, rows, cols);
    return c;
}

void canvas_free(struct canvas *c)
{
    if (c)
        free(c->cells);
    free(c);
}

void canvas_resize(struct canvas *c, int rows, int cols)
{
    rows = rows < 1 ? 1 : rows;
    cols = cols < 1 ? 1 : cols;
    if (!c->cells || rows != c->rows || cols != c->cols) {
        free(c->cells);
        c->cells = calloc((size_t)rows * (size_t)cols, sizeof(*c->cells));
        if (!c->cells)
            abort();
        c->rows = rows;
        c->cols = cols;
    }
    canvas_clear(c);
}

void canvas_clear(struct canvas *c)
{
    for (int i = 0; i < c->rows * c->cols; i++)
        c->cells[i] = blank;
    c->nhits = 0;
}

const struct cell *canvas_at(const struct canvas *c, int y, int x)
{
    return &c->cells[y * c->cols + x];
}

static void print_cell(const struct cell *cell, FILE *out)
{
    char bytes[8];
    int n = text_encode(cell->ch, bytes);
    if (cell->mark)
        n += text_encode(cell->mark, bytes + n);
    fwrite(bytes, 1, (size_t)n, out);
}

static char style_letter(const struct cell *cell)
{
    char letter = style_letters[cell->style & 0x3f];
    if (cell->style & STYLE_MATCH)
        return 'M';
    // The selected row shows as capitals where there is one, else as '>'.
    if (cell->style & STYLE_SELECTED)
        return letter == '.' ? '>' : letter;
    return cell->ch == ' ' && letter == '.' ? ' ' : letter;
}

static int row_end(const struct canvas *c, int y, bool styles)
{
    int end = c->cols;
    for (; end > 0; end--) {
        const struct cell *cell = canvas_at(c, y, end - 1);
        if (styles ? style_letter(cell) != ' ' : cell->ch != ' ')
            break;
    }
    return end;
}

void canvas_print(const struct canvas *c, FILE *out)
{
    for (int y = 0; y < c->rows; y++) {
        int end = row_end(c, y, false);
        for (int x = 0; x < end; x++)
            if (canvas_at(c, y, x)->width > 0)
                print_cell(canvas_at(c, y, x), out);
        fputc('\n', out);
    }
}

// The terminal's own eight colours on its own background, as term.c has them.
static const char *const style_colors[STYLE_COUNT] = {
    [STYLE_DIM] = "2",          [STYLE_STRONG] = "1",
    [STYLE_CRITICAL] = "1;31",  [STYLE_WARNING] = "33",
    [STYLE_OK] = "32",          [STYLE_SCOPE] = "36",
    [STYLE_HEADER] = "1;4",     [STYLE_TAB] = "1;7",
    [STYLE_KEY] = "1",          [STYLE_KEY_LABEL] = "7",
    [STYLE_DISABLED] = "2",     [STYLE_BANNER] = "1;7;33",
    [STYLE_HEAT1] = "38;5;72",  [STYLE_HEAT2] = "38;5;179",
    [STYLE_HEAT3] = "38;5;208", [STYLE_HEAT4] = "1;38;5;196",
};

static void change_color(const char *from, const char *to, FILE *out)
{
    if (from == to)
        return;
    if (from)
        fputs("\033[0m", out);
    if (to)
        fprintf(out, "\033[%sm", to);
}

void canvas_print_colors(const struct canvas *c, FILE *out)
{
    for (int y = 0; y < c->rows; y++) {
        const char *now = NULL;
        for (int x = 0, end = row_end(c, y, false); x < end; x++) {
            const struct cell *cell = canvas_at(c, y, x);
            if (cell->width == 0)
                continue;
            change_color(now, style_colors[cell->style & 0x3f], out);
            now = style_colors[cell->style & 0x3f];
            print_cell(cell, out);
        }
        change_color(now, NULL, out);
        fputc('\n', out);
    }
}

void canvas_print_styles(const struct canvas *c, FILE *out)
{
    for (int y = 0; y < c->rows; y++) {
        int end = row_end(c, y, true);
        for (int x = 0; x < end; x++)
            fputc(style_letter(canvas_at(c, y, x)), out);
        fputc('\n', out);
    }
}

void canvas_print_mono(const struct canvas *c, FILE *out)
{
    for (int y = 0; y < c->rows; y++) {
        for (int x = 0; x < c->cols; x++)
            fputc('0' + (int)style_mono(canvas_at(c, y, x)->style), out);
        fputc('\n', out);
    }
}

const struct hit *canvas_hit(const struct canvas *c, int y, int x)
{
    for (int i = c->nhits - 1; i >= 0; i--) { // what was drawn last lies on top
        const struct rect *r = &c->hits[i].r;
        if (y >= r->y && y < r->y + r->h && x >= r->x && x < r->x + r->w)
            return &c->hits[i];
    }
    return NULL;
}

static struct rect intersect(struct rect a, struct rect b)
{
    int top = a.y > b.y ? a.y : b.y, left = a.x > b.x ? a.x : b.x;
    int bottom = a.y + a.h < b.y + b.h ? a.y + a.h : b.y + b.h;
    int right = a.x + a.w < b.x + b.w ? a.x + a.w : b.x + b.w;
    struct rect r = {top, left, bottom - top, right - left};
    if (r.h < 0)
        r.h = 0;
    if (r.w < 0)
        r.w = 0;
    return r;
}

struct pane canvas_pane(struct canvas *c, struct rect r)
{
    return (struct pane){c, intersect(r, (struct rect){0, 0, c->rows, c->cols})};
}

struct pane pane_sub(struct pane p, int y, int x, int h, int w)
{
    return (struct pane){p.canvas, intersect((struct rect){p.r.y + y, p.r.x + x, h, w}, p.r)};
}

// NULL: outside of the pane.
static struct cell *pane_at(struct pane p, int y, int x)
{
    if (y < 0 || y >= p.r.h || x < 0 || x >= p.r.w)
        return NULL;
    return &p.canvas->cells[(p.r.y + y) * p.canvas->cols + p.r.x + x];
}

// A wide character loses its other half when one half is written over.
static void split_wide(struct pane p, int y, int x)
{
    struct cell *here = &p.canvas->cells[(p.r.y + y) * p.canvas->cols + p.r.x + x];
    if (here->width == 0)
        here[-1].ch = ' ', here[-1].width = 1, here[-1].mark = 0;
    if (here->width == 2)
        here[1].ch = ' ', here[1].width = 1, here[1].mark = 0;
}

static void put(struct pane p, int y, int x, unsigned style, uint32_t ch, int width)
{
    struct cell *cell = pane_at(p, y, x);
    if (!cell)
        return;
    split_wide(p, y, x);
    if (width == 2 && !pane_at(p, y, x + 1)) {
        ch = ' ';
        width = 1;
    }
    *cell = (struct cell){.ch = ch, .style = (uint8_t)style, .width = (uint8_t)width};
    if (width == 2) {
        split_wide(p, y, x + 1);
        cell[1] = (struct cell){.ch = ' ', .style = (uint8_t)style, .width = 0};
    }
}

int pane_clipped(struct pane p, int y, int x, unsigned style, const char *text)
{
    uint32_t ch;
    int width, n;
    if (y < 0 || y >= p.r.h)
        return x + text_width(text);
    for (; (n = text_next(text, &ch, &width)) > 0; text += n) {
        if (ch == 0)
            continue;
        if (ch >= 0x80 && p.canvas->ascii) {
            if (width == 0)
                continue;
            ch = '?';
            width = 1;
        }
        if (width == 0) {
            struct cell *before = pane_at(p, y, x - 1);
            if (before && before->width == 1 && before->mark == 0)
                before->mark = ch;
            continue;
        }
        put(p, y, x, style, ch, width);
        x += width;
    }
    return x;
}

static int trailing_blanks(const char *text)
{
    size_t n = strlen(text), kept = n;
    while (kept > 0 && text[kept - 1] == ' ')
        kept--;
    return (int)(n - kept);
}

int pane_text(struct pane p, int y, int x, unsigned style, const char *text)
{
    int end = pane_clipped(p, y, x, style, text);
    if (x < p.r.w && end - trailing_blanks(text) > p.r.w)
        pane_glyph(p, y, p.r.w - 1, style, GLYPH_ELLIPSIS);
    return end;
}

int pane_printf(struct pane p, int y, int x, unsigned style, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return pane_text(p, y, x, style, text);
}

int pane_glyph(struct pane p, int y, int x, unsigned style, enum glyph g)
{
    put(p, y, x, style, glyph_char(g, p.canvas->ascii), 1);
    return x + 1;
}

int pane_braille(struct pane p, int y, int x, unsigned style, int left, int right)
{
    put(p, y, x, style, glyph_braille(left, right), 1);
    return x + 1;
}

int pane_field(struct pane p, int y, int x, int w, bool right, unsigned style, const char *text)
{
    if (w <= 0)
        return x;
    struct pane field = pane_sub(p, y, x, 1, w);
    for (int i = 0; i < w; i++)
        put(p, y, x + i, style, ' ', 1);
    int width = text_width(text);
    pane_text(field, 0, right && width <= w ? w - width : 0, style, text);
    return x + w;
}

int pane_field_tail(struct pane p, int y, int x, int w, unsigned style, const char *text)
{
    uint32_t ch;
    int width, n, over = text_width(text) - w;
    if (over <= 0 || w < 2)
        return pane_field(p, y, x, w, false, style, text);
    for (int cut = 0; cut <= over && (n = text_next(text, &ch, &width)) > 0; text += n)
        cut += width;
    pane_field(p, y, x, w, false, style, "");
    pane_text(pane_sub(p, y, x, 1, w), 0, 1, style, text);
    pane_glyph(p, y, x, style, GLYPH_ELLIPSIS);
    return x + w;
}

void pane_rule(struct pane p, int y)
{
    for (int x = 0; x < p.r.w; x++)
        pane_glyph(p, y, x, STYLE_DIM, GLYPH_HLINE);
}

void pane_box(struct pane p, unsigned style, const char *title)
{
    int h = p.r.h, w = p.r.w;
    for (int x = 1; x < w - 1; x++) {
        pane_glyph(p, 0, x, style, GLYPH_HLINE);
        pane_glyph(p, h - 1, x, style, GLYPH_HLINE);
    }
    for (int y = 1; y < h - 1; y++) {
        pane_glyph(p, y, 0, style, GLYPH_VLINE);
        pane_glyph(p, y, w - 1, style, GLYPH_VLINE);
    }
    pane_glyph(p, 0, 0, style, GLYPH_TOP_LEFT);
    pane_glyph(p, 0, w - 1, style, GLYPH_TOP_RIGHT);
    pane_glyph(p, h - 1, 0, style, GLYPH_BOTTOM_LEFT);
    pane_glyph(p, h - 1, w - 1, style, GLYPH_BOTTOM_RIGHT);
    if (title)
        pane_printf(pane_sub(p, 0, 4, 1, w - 6), 0, 0, STYLE_STRONG, " %s ", title);
}

void pane_clear(struct pane p)
{
    for (int y = 0; y < p.r.h; y++)
        for (int x = 0; x < p.r.w; x++)
            put(p, y, x, STYLE_TEXT, ' ', 1);
}

void pane_mark(struct pane p, int y, unsigned flags)
{
    for (int x = 0; x < p.r.w; x++) {
        struct cell *cell = pane_at(p, y, x);
        if (cell)
            cell->style |= (uint8_t)flags;
    }
}

static uint32_t fold_case(uint32_t ch)
{
    return ch < 0x80 ? (uint32_t)tolower((int)ch) : ch;
}

// The number of cells from x on that spell needle; 0: they do not.
static int match_at(struct pane p, int y, int x, const char *needle)
{
    uint32_t ch;
    int width, n, at = x;
    for (; (n = text_next(needle, &ch, &width)) > 0; needle += n) {
        struct cell *cell = pane_at(p, y, at);
        if (!cell || fold_case(cell->ch) != fold_case(ch))
            return 0;
        at += cell->width > 0 ? cell->width : 1;
    }
    return at - x;
}

void pane_highlight(struct pane p, const char *needle, unsigned flags)
{
    if (!*needle)
        return;
    for (int y = 0; y < p.r.h; y++) {
        for (int x = 0; x < p.r.w; x++) {
            int n = match_at(p, y, x, needle);
            for (int i = 0; i < n; i++)
                pane_at(p, y, x + i)->style |= (uint8_t)flags;
        }
    }
}

void pane_hit(struct pane p, int y, int x, int h, int w, enum hit_kind kind, int value)
{
    struct pane sub = pane_sub(p, y, x, h, w);
    if (p.canvas->nhits < CANVAS_HITS && sub.r.h > 0 && sub.r.w > 0)
        p.canvas->hits[p.canvas->nhits++] = (struct hit){sub.r, kind, value};
}
