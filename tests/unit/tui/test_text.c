// Numbers, sentences, stacks folded into a tree, wrapped lines, plain text.
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../../tui/describe.h"
#include "../../../tui/format.h"
#include "../../../tui/plain.h"
#include "../../../tui/text.h"
#include "screen.h"

static void numbers_read_well(void **state)
{
    (void)state;
    assert_string_equal(fmt_ns(SNAP_UNKNOWN).s, "-");
    assert_string_equal(fmt_ns(0).s, "0");
    assert_string_equal(fmt_ns(85000).s, "85us");
    assert_string_equal(fmt_ns(400000).s, "0.4ms");
    assert_string_equal(fmt_ns(41000000).s, "41ms");
    assert_string_equal(fmt_ns(999600000).s, "1.00s");
    assert_string_equal(fmt_ns(2310000000).s, "2.31s");
    assert_string_equal(fmt_ns(41200000000).s, "41.2s");
    assert_string_equal(fmt_ns(18 * 60000000000).s, "18m");
    assert_string_equal(fmt_ns(134 * 60000000000).s, "2h14m");
    assert_string_equal(fmt_ns(INT64_MAX).s, "106751d23h");
    assert_string_equal(fmt_count(SNAP_UNKNOWN).s, "-");
    assert_string_equal(fmt_count(99999).s, "99999");
    assert_string_equal(fmt_count(918204).s, "918k");
    assert_string_equal(fmt_count(INT64_MAX).s, "9223372T");
    assert_string_equal(fmt_bytes(1126).s, "1.1k");
    assert_string_equal(fmt_percent(NAN).s, "-");
    assert_string_equal(fmt_percent(0.972).s, "97.2");
    assert_string_equal(fmt_growth(10.0 / 60).s, "+10/min");
    assert_string_equal(fmt_growth(-1.0 / 3600).s, "-1/h");
    assert_string_equal(fmt_growth(0).s, "0");
    assert_string_equal(fmt_rate(210).s, "210/s");
    assert_string_equal(fmt_clock(1772352000000000000).s, "08:00:00");
}

static struct stack *stack_of(const char *const *names, int n, int culprit)
{
    struct frame frames[8] = {{0}};
    for (int i = 0; i < n; i++)
        frames[i] =
            (struct frame){.function = names[i], .file = "a.c", .line = i + 1, .module = "/a"};
    return stack_new(frames, n, culprit, false, true);
}

static void samples_fold_into_a_tree(void **state)
{
    (void)state;
    struct stack *a = stack_of((const char *[]){"leaf1", "mid", "root"}, 3, 0);
    struct stack *b = stack_of((const char *[]){"leaf2", "mid", "root"}, 3, 0);
    struct flame_sample samples[] = {{a, 300}, {b, 100}, {NULL, 999}, {a, 100}};
    struct lines lines = {0};
    int culprit;
    flame_tree(samples, 4, 90, &lines, &culprit);
    assert_int_equal(lines.n, 4);
    assert_non_null(strstr(lines.v[0].text, "100.0 root"));
    assert_non_null(strstr(lines.v[1].text, "100.0  mid"));
    assert_non_null(strstr(lines.v[2].text, " 80.0   leaf1")); // the heavier first
    assert_non_null(strstr(lines.v[3].text, " 20.0   leaf2"));
    assert_int_equal(culprit, 2);
    lines_finish(&lines);
    samples[0].weight = 300000;
    samples[1].weight = 100000;
    samples[3].weight = 100000;
    flame_folded(samples, 4, &lines);
    assert_int_equal(lines.n, 2);
    assert_string_equal(lines.v[0].text, "root;mid;leaf1 400");
    assert_string_equal(lines.v[1].text, "root;mid;leaf2 100");
    lines_finish(&lines);
    stack_unref(a);
    stack_unref(b);
}

static void runtime_frames_are_no_answer(void **state)
{
    (void)state;
    struct frame frames[] = {{.function = "read", .module = "/libc.so.6", .runtime = true},
                             {.function = "load", .file = "/srv/a.c", .line = 7},
                             {.function = "uv_run", .runtime = true},
                             {.function = "main", .file = "m.c", .line = 1}};
    char buf[200];
    struct stack *s = stack_new(frames, 4, -1, false, true);
    assert_string_equal(describe_stack(s, buf, sizeof(buf)), "load < main  (a.c:7)");
    assert_string_equal(describe_culprit(s, buf, sizeof(buf)), "load");
    assert_string_equal(describe_culprit(NULL, buf, sizeof(buf)), "-");
    assert_string_equal(describe_stack(s, buf, 6), "load "); // cut, and terminated
    stack_unref(s);
}

static void wrapped_lines_keep_every_word(void **state)
{
    (void)state;
    struct lines lines = {0};
    lines_wrap(&lines, STYLE_TEXT, "WHAT", 6, 20, "one two three four averyveryverylongword five");
    assert_string_equal(lines.v[0].text, "WHAT  one two three ");
    assert_string_equal(lines.v[1].text, "      four ");
    assert_string_equal(lines.v[2].text, "      averyveryveryl");
    assert_string_equal(lines.v[3].text, "      ongword five");
    assert_int_equal(lines.n, 4);
    for (int i = 0; i < lines.n; i++)
        assert_true(text_width(lines.v[i].text) <= 20);
    lines_finish(&lines);
    lines_wrap(&lines, STYLE_TEXT, "", 0, 10, "漢字漢字漢字漢字"); // no space to cut at
    for (int i = 0; i < lines.n; i++)
        assert_true(text_width(lines.v[i].text) <= 10);
    lines_finish(&lines);
}

static char *frame_of(struct snap *s, bool ascii, bool color)
{
    struct ui ui;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    screen_open(&ui, s, 30, 100);
    plain_frame(&ui, &(struct plain_opts){100, ascii, color}, out);
    fclose(out);
    ui_finish(&ui);
    return text;
}

static void a_frame_of_text_shows_all(void **state)
{
    (void)state;
    char *text = frame_of(fixture_rich(5), false, false);
    screen_golden("once.utf8", text);
    free(text);
    text = frame_of(fixture_rich(5), true, false);
    screen_golden("once.ascii", text);
    for (const char *c = text; *c; c++)
        assert_true((unsigned char)*c < 0x80);
    free(text);
}

static void without_colours(char *text)
{
    char *to = text;
    for (const char *c = text; *c;) {
        if (*c == '\033')
            c += strcspn(c, "m") + 1;
        else
            *to++ = *c++;
    }
    *to = '\0';
}

static void colours_change_no_character(void **state)
{
    (void)state;
    char *plain = frame_of(fixture_rich(5), false, false);
    char *color = frame_of(fixture_rich(5), false, true);
    assert_null(strchr(plain, '\033'));
    assert_non_null(strstr(color, "\033[1;31m!!"));
    without_colours(color);
    assert_string_equal(plain, color);
    free(plain);
    free(color);
}

static void the_flag_wins_over_the_environment(void **state)
{
    (void)state;
    setenv("NO_COLOR", "1", 1);
    assert_true(plain_wants_color(COLOR_ALWAYS, stdout));
    assert_false(plain_wants_color(COLOR_AUTO, stdout));
    unsetenv("NO_COLOR");
    FILE *file = tmpfile();
    assert_false(plain_wants_color(COLOR_AUTO, file)); // no terminal
    assert_false(plain_wants_color(COLOR_NEVER, stdout));
    fclose(file);
}

static void plain_text_is_free_of_control_characters(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct snap *before = fixture_quiet(), *now = fixture_hostile();
    plain_changes(before, now, out);
    plain_changes(NULL, now, out);
    fclose(out);
    snap_unref(before);
    snap_unref(now);
    assert_true(size > 0);
    for (size_t i = 0; i < size; i++)
        assert_true((unsigned char)text[i] >= 0x20 || text[i] == '\n');
    free(text);
    text = frame_of(fixture_hostile(), false, false);
    for (const char *c = text; *c; c++)
        assert_true((unsigned char)*c >= 0x20 || *c == '\n');
    free(text);
}

int main(void)
{
    screen_locale();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_read_well),
        cmocka_unit_test(samples_fold_into_a_tree),
        cmocka_unit_test(runtime_frames_are_no_answer),
        cmocka_unit_test(wrapped_lines_keep_every_word),
        cmocka_unit_test(a_frame_of_text_shows_all),
        cmocka_unit_test(colours_change_no_character),
        cmocka_unit_test(the_flag_wins_over_the_environment),
        cmocka_unit_test(plain_text_is_free_of_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
