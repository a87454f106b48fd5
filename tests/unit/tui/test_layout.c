// Layout over every size from 20x5 to 300x100.
#include "screen.h"

static bool inside(struct rect r, struct rect outer)
{
    if (r.h == 0) // not shown
        return true;
    return r.y >= outer.y && r.x >= outer.x && r.h >= 0 && r.w >= 0 &&
           r.y + r.h <= outer.y + outer.h && r.x + r.w <= outer.x + outer.w;
}

static bool overlap(struct rect a, struct rect b)
{
    return a.h > 0 && b.h > 0 && a.y < b.y + b.h && b.y < a.y + a.h && a.x < b.x + b.w &&
           b.x < a.x + a.w;
}

static void check_disjoint(const struct rect *r, int n, struct rect outer, int rows, int cols)
{
    for (int i = 0; i < n; i++) {
        if (!inside(r[i], outer))
            fail_msg("%dx%d: rectangle %d leaves its frame", cols, rows, i);
        for (int j = i + 1; j < n; j++)
            if (overlap(r[i], r[j]))
                fail_msg("%dx%d: rectangles %d and %d overlap", cols, rows, i, j);
    }
}

static void check_split(struct rect body, int rows, int cols)
{
    static const int items[] = {0, 1, 5, 40, 100000}, heads[] = {0, 2, 5, 8},
                     details[] = {0, 3, 12, 22};
    for (size_t i = 0; i < 5; i++)
        for (size_t h = 0; h < 4; h++)
            for (size_t d = 0; d < 4; d++) {
                struct split s = layout_split(body, heads[h], items[i], details[d]);
                check_disjoint((struct rect[]){s.head, s.table, s.detail}, 3,
                               (struct rect){body.y, 0, body.h, body.w}, rows, cols);
                assert_true(s.head.h == 0 || s.head.h == heads[h]);
                assert_true(s.table.h >= 4); // a header and three items
                assert_true(s.detail.h <= details[d]);
            }
}

static void nothing_overlaps_at_any_size(void **state)
{
    (void)state;
    for (int rows = 5; rows <= 100; rows++) {
        for (int cols = 20; cols <= 300; cols++) {
            struct layout l = layout_screen(rows, cols);
            struct rect screen = {0, 0, rows, cols};
            assert_int_equal(l.too_small, rows < LAYOUT_MIN_ROWS || cols < LAYOUT_MIN_COLS);
            check_disjoint(
                (struct rect[]){l.title, l.tabs, l.rule, l.body, l.status_rule, l.status, l.keys},
                7, screen, rows, cols);
            if (!l.too_small)
                check_split(l.body, rows, cols);
        }
    }
}

// Pages, menus and help are drawn at sizes between the golden ones without leaving their frames:
// the frame's own rows must be intact.
static void every_view_draws_at_many_sizes(void **state)
{
    (void)state;
    static const char *const keys[] = {"", "\n", "3", "3t", "4", "5", "5\n", "?", "s", "S"};
    for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
        struct ui ui;
        screen_open(&ui, fixture_rich(3), 30, 100);
        screen_keys(&ui, keys[k]);
        struct canvas *c = canvas_new(1, 1, false);
        for (int rows = 5; rows <= 100; rows += rows < 32 ? 1 : 17) {
            for (int cols = 20; cols <= 300; cols += cols < 110 ? 3 : 31) {
                ui_resize(&ui, rows, cols);
                canvas_resize(c, rows, cols);
                ui_prepare(&ui);
                frame_draw(&ui, c);
                const struct cell *corner = canvas_at(c, 0, 0);
                assert_true(corner->ch != ' ');
            }
        }
        canvas_free(c);
        ui_finish(&ui);
    }
}

int main(void)
{
    screen_locale();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_overlaps_at_any_size),
        cmocka_unit_test(every_view_draws_at_many_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
