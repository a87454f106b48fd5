// The ring behind pause and stepping: a picture a second, ten minutes, 16 MB.
#include <stdlib.h>
#include <string.h>

#include "../../../tui/past.h"
#include "screen.h"

static struct past past;

static int setup(void **state)
{
    (void)state;
    memset(&past, 0, sizeof(past));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    past_finish(&past);
    return 0;
}

static void push(int tick, int64_t now_ns)
{
    struct snap *s = fixture_rich(tick);
    s->now_ns = now_ns;
    past_push(&past, s);
    snap_unref(s);
}

static void one_picture_a_second_is_kept(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++)
        push(i, i * 250000000LL);
    assert_int_equal(past.n, 10);
    assert_int_equal(past_next(&past, 3000000000LL, -1)->now_ns / 1000000, 2000);
    assert_int_equal(past_next(&past, 3000000000LL, 1)->now_ns / 1000000, 4000);
    assert_null(past_next(&past, 0, -1));
    assert_null(past_next(&past, 9000000000LL, 1));
}

static void ten_minutes_fit_into_the_memory(void **state)
{
    (void)state;
    for (int i = 0; i < 900; i++)
        push(i % 60, i * 1000000000LL);
    assert_true(past.bytes <= PAST_BYTES);
    int64_t oldest = past.v[0]->now_ns, newest = past.v[past.n - 1]->now_ns;
    assert_int_equal(newest / 1000000000LL, 899);
    assert_in_range(oldest / 1000000000LL, 299, 320);
    for (int i = 1; i < past.n; i++)
        assert_true(past.v[i]->now_ns > past.v[i - 1]->now_ns);
}

static struct snap *large(int loops, int64_t now_ns)
{
    struct snap *s = fixture_quiet();
    struct snap_loop *grown = snap_alloc(s, sizeof(*grown) * (size_t)loops);
    for (int i = 0; i < loops; i++) {
        grown[i] = s->loops[0];
        grown[i].tid += i;
    }
    s->loops = grown;
    s->nloops = loops;
    s->now_ns = now_ns;
    return s;
}

static void large_pictures_are_thinned_out_and_the_span_stays(void **state)
{
    (void)state;
    for (int i = 0; i < 600; i++) {
        struct snap *s = large(500, i * 1000000000LL);
        past_push(&past, s);
        snap_unref(s);
        assert_true(past.bytes <= PAST_BYTES);
    }
    assert_true(past.n >= 8);
    assert_int_equal(past.v[past.n - 1]->now_ns / 1000000000LL, 599);
    assert_true(past.v[0]->now_ns < 60 * 1000000000LL);
}

static void a_kept_picture_shows_what_the_whole_one_showed(void **state)
{
    (void)state;
    struct snap *s = fixture_rich(5);
    past_push(&past, s);
    struct snap *kept = past_next(&past, 0, 1);
    assert_int_equal(kept->nloops, s->nloops);
    assert_int_equal(kept->nfindings, s->nfindings);
    assert_string_equal(kept->findings[0].title, s->findings[0].title);
    struct ui ui;
    snap_ref(kept);
    screen_open(&ui, kept, 30, 100);
    char *text = screen_text(&ui, false);
    screen_golden("overview-100x30.utf8", text);
    free(text);
    ui_finish(&ui);
    snap_unref(s);
}

int main(void)
{
    screen_locale();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_picture_a_second_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(ten_minutes_fit_into_the_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(large_pictures_are_thinned_out_and_the_span_stays, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_kept_picture_shows_what_the_whole_one_showed, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
