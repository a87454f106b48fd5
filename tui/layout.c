#include "layout.h"

#define TABLE_MIN  4 // header and three items
#define DETAIL_MIN 3

static int min(int a, int b)
{
    return a < b ? a : b;
}

static int max(int a, int b)
{
    return a > b ? a : b;
}

struct layout layout_screen(int rows, int cols)
{
    struct layout l = {0};
    if (rows < LAYOUT_MIN_ROWS || cols < LAYOUT_MIN_COLS) {
        l.too_small = true;
        l.body = (struct rect){0, 0, rows, cols};
        return l;
    }
    l.title = (struct rect){0, 0, 1, cols};
    l.tabs = (struct rect){1, 0, 1, cols};
    l.rule = (struct rect){2, 0, 1, cols};
    l.body = (struct rect){3, 0, rows - 6, cols};
    l.status_rule = (struct rect){rows - 3, 0, 1, cols};
    l.status = (struct rect){rows - 2, 0, 1, cols};
    l.keys = (struct rect){rows - 1, 0, 1, cols};
    return l;
}

struct split layout_split(struct rect body, int head, int items, int detail)
{
    struct split s = {0};
    int left = body.h, y = body.y;
    if (head > 0 && left >= head + 1 + TABLE_MIN + 1 + DETAIL_MIN) {
        s.head = (struct rect){y, body.x, head, body.w};
        y += head + 1;
        left -= head + 1;
    }
    int table = max(items + 1, TABLE_MIN);
    bool has_detail = detail > 0 && left >= TABLE_MIN + 1 + DETAIL_MIN;
    if (has_detail) {
        // The table keeps three fifths when both want more than there is.
        int share = max(left * 3 / 5, TABLE_MIN);
        int for_detail = min(detail, max(left - 1 - min(table, share), DETAIL_MIN));
        table = left - 1 - for_detail;
    } else {
        table = left;
    }
    s.table = (struct rect){y, body.x, max(table, 0), body.w};
    if (has_detail) {
        y += table + 1;
        s.detail = (struct rect){y, body.x, body.y + body.h - y, body.w};
    }
    return s;
}

struct rect layout_box(int rows, int cols, int h, int w)
{
    h = min(h, rows);
    w = min(w, cols);
    return (struct rect){(rows - h) / 2, (cols - w) / 2, h, w};
}
