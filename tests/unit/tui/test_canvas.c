// Cells, clipping, wide characters, hostile text, charts, glyphs.
#include <stdlib.h>
#include <string.h>

#include "../../../tui/chart.h"
#include "../../../tui/text.h"
#include "screen.h"

static struct canvas *canvas;

static struct pane whole(int rows, int cols)
{
    canvas_free(canvas);
    canvas = canvas_new(rows, cols, false);
    return canvas_pane(canvas, (struct rect){0, 0, rows, cols});
}

static void expect(const char *want)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    canvas_print(canvas, out);
    fclose(out);
    assert_string_equal(text, want);
    free(text);
}

static void text_is_cut_at_its_pane(void **state)
{
    (void)state;
    struct pane p = whole(3, 10);
    struct pane in = pane_sub(p, 1, 2, 1, 5);
    assert_int_equal(pane_text(in, 0, 0, STYLE_TEXT, "abcdefgh"), 8);
    pane_text(in, 1, 0, STYLE_TEXT, "below");
    pane_text(in, 0, -2, STYLE_TEXT, "XYZ");
    expect("\n  Zbcd\xe2\x80\xa6\n\n"); // an ellipsis says so
    assert_int_equal(pane_clipped(in, 0, 0, STYLE_TEXT, "abcdefgh"), 8);
    expect("\n  abcde\n\n");
    pane_text(in, 0, 0, STYLE_TEXT, "fghij  "); // of which nothing is lost
    expect("\n  fghij\n\n");
}

static void a_pane_cannot_grow(void **state)
{
    (void)state;
    struct pane p = pane_sub(pane_sub(whole(5, 10), 1, 1, 3, 4), 0, 0, 100, 100);
    assert_int_equal(p.r.h, 3);
    assert_int_equal(p.r.w, 4);
    p = pane_sub(p, 50, 50, 5, 5);
    pane_text(p, 0, 0, STYLE_TEXT, "nowhere");
    expect("\n\n\n\n\n");
}

static void a_wide_character_never_shows_half(void **state)
{
    (void)state;
    struct pane p = whole(1, 4);
    pane_clipped(p, 0, 0, STYLE_TEXT, "a漢字");
    expect("a漢\n"); // 字 does not fit whole
    assert_int_equal(canvas_at(canvas, 0, 2)->width, 0);
    pane_text(p, 0, 2, STYLE_TEXT, "b"); // over its right half
    expect("a b\n");
    pane_text(p, 0, 0, STYLE_TEXT, "字c");
    pane_text(p, 0, 0, STYLE_TEXT, "d"); // over its left half
    expect("d c\n");
}

static void combining_marks_stay_with_their_letter(void **state)
{
    (void)state;
    struct pane p = whole(1, 5);
    assert_int_equal(pane_text(p, 0, 0, STYLE_TEXT, "e\xcc\x81x"), 2);
    expect("e\xcc\x81x\n");
}

static void fields_pad_and_cut(void **state)
{
    (void)state;
    struct pane p = whole(5, 8);
    pane_field(p, 0, 0, 6, false, STYLE_TEXT, "ab");
    pane_field(p, 1, 0, 6, true, STYLE_TEXT, "ab");
    pane_field(p, 2, 0, 6, false, STYLE_TEXT, "abcdefgh");
    pane_field(p, 3, 0, 5, false, STYLE_TEXT, "漢字漢字");
    pane_field_tail(p, 4, 0, 6, STYLE_TEXT, "src/main.c:52");
    expect("ab\n    ab\nabcde…\n漢字…\n….c:52\n");
}

static void hostile_text_is_defused(void **state)
{
    (void)state;
    struct pane p = whole(1, 60);
    pane_text(p, 0, 0, STYLE_TEXT,
              "a\033[31mb\x07 \xff\xc3(\xed\xa0\x80)\xe2\x80\xae"
              "c\xc2\x9b"
              "d\xf4\x90\x80\x80");
    for (int x = 0; x < 60; x++) {
        uint32_t ch = canvas_at(canvas, 0, x)->ch;
        assert_true(ch >= 0x20 && ch != 0x7f && !(ch >= 0x80 && ch < 0xa0) && ch != 0x202e);
        assert_true(ch < 0xd800 || ch > 0xdfff);
    }
    char out[8];
    assert_string_equal(text_clean(out, sizeof(out), "ab\xe6\xbc\xa2\xe5\xad\x97"),
                        "ab\xe6\xbc\xa2");
    assert_string_equal(text_clean(out, sizeof(out), NULL), "");
}

static void ascii_canvas_is_ascii(void **state)
{
    (void)state;
    canvas_free(canvas);
    canvas = canvas_new(1, 12, true);
    pane_text(canvas_pane(canvas, (struct rect){0, 0, 1, 12}), 0, 0, STYLE_TEXT, "é漢e\xcc\x81");
    expect("??e\n");
    for (int g = 0; g < GLYPH_COUNT; g++) {
        assert_in_range(glyph_char((enum glyph)g, true), 0x20, 0x7e);
        assert_true(glyph_char((enum glyph)g, false) >= 0x20);
    }
}

static void sparkline_scale(void **state)
{
    (void)state;
    assert_int_equal(chart_level(SNAP_UNKNOWN, CHART_LOW_NS, CHART_HIGH_NS, 8), 0);
    assert_int_equal(chart_level(0, CHART_LOW_NS, CHART_HIGH_NS, 8), 1);
    assert_int_equal(chart_level(INT64_MAX, CHART_LOW_NS, CHART_HIGH_NS, 8), 8);
    int before = 0;
    for (int64_t ns = 1; ns > 0 && ns < 20000000000LL; ns *= 2) {
        int level = chart_level(ns, CHART_LOW_NS, CHART_HIGH_NS, 8);
        assert_true(level >= before && level <= 8);
        before = level;
    }
    struct pane p = whole(1, 4);
    int64_t values[] = {SNAP_UNKNOWN, 1000000, 100000000, 20000000000LL};
    chart_spark(p, 0, 0, 4, values, 4, 100000000);
    expect(" ▁▅█\n");
    p = whole(1, 2); // two values a column: the worse one shows
    chart_spark(p, 0, 0, 2, values, 4, 100000000);
    expect("▁█\n");
}

static void clicks_find_what_lies_on_top(void **state)
{
    (void)state;
    struct pane p = whole(10, 10);
    pane_hit(p, 0, 0, 10, 10, HIT_ROW, 7);
    pane_hit(p, 2, 2, 1, 3, HIT_TAB, 2);
    assert_int_equal(canvas_hit(canvas, 2, 4)->kind, HIT_TAB);
    assert_int_equal(canvas_hit(canvas, 2, 5)->value, 7);
    assert_null(canvas_hit(canvas, 10, 0));
}

static void highlighting_ignores_case(void **state)
{
    (void)state;
    struct pane p = whole(1, 20);
    pane_text(p, 0, 0, STYLE_TEXT, "a Loop in a loop");
    pane_highlight(p, "LOOP", STYLE_MATCH);
    int n = 0;
    for (int x = 0; x < 20; x++)
        n += (canvas_at(canvas, 0, x)->style & STYLE_MATCH) != 0;
    assert_int_equal(n, 8);
}

static void severity_shows_without_colours(void **state)
{
    (void)state;
    assert_int_not_equal(style_mono(STYLE_CRITICAL), style_mono(STYLE_WARNING));
    assert_int_not_equal(style_mono(STYLE_WARNING), style_mono(STYLE_TEXT));
    assert_int_equal(style_mono(STYLE_TEXT | STYLE_SELECTED), LOOK_REVERSE);
    for (unsigned style = 0; style < STYLE_COUNT; style++) // the cursor and a match are always seen
        assert_int_not_equal(style_mono(style), style_mono(style | STYLE_SELECTED));
}

static void braille_has_a_dot_for_each_level(void **state)
{
    (void)state;
    for (int left = 0; left <= 4; left++)
        for (int right = 0; right <= 4; right++)
            assert_int_equal(__builtin_popcount(glyph_braille(left, right) - 0x2800), left + right);
}

int main(void)
{
    screen_locale();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(severity_shows_without_colours),
        cmocka_unit_test(braille_has_a_dot_for_each_level),
        cmocka_unit_test(text_is_cut_at_its_pane),
        cmocka_unit_test(a_pane_cannot_grow),
        cmocka_unit_test(a_wide_character_never_shows_half),
        cmocka_unit_test(combining_marks_stay_with_their_letter),
        cmocka_unit_test(fields_pad_and_cut),
        cmocka_unit_test(hostile_text_is_defused),
        cmocka_unit_test(ascii_canvas_is_ascii),
        cmocka_unit_test(sparkline_scale),
        cmocka_unit_test(clicks_find_what_lies_on_top),
        cmocka_unit_test(highlighting_ignores_case),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    canvas_free(canvas);
    return rc;
}
