// Keys on a picture give the expected state; the key table is sound.
#include <stdlib.h>
#include <string.h>

#include "screen.h"

static struct ui ui;

static int setup(void **state)
{
    (void)state;
    screen_open(&ui, fixture_rich(5), 30, 100);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ui_finish(&ui);
    return 0;
}

static void press(int key)
{
    ui_prepare(&ui);
    ui_key(&ui, key);
    ui_prepare(&ui);
}

static void tick(int n)
{
    struct snap *s = fixture_rich(n);
    ui_snapshot(&ui, s);
    snap_unref(s);
    ui_prepare(&ui);
}

static void no_key_means_two_things_in_a_view(void **state)
{
    (void)state;
    for (int v = 0; v < VIEW_COUNT; v++)
        for (const struct binding *a = key_table; a->command != CMD_NONE; a++)
            for (const struct binding *b = a + 1; b->command != CMD_NONE; b++) {
                if ((a->views && !(a->views & 1u << v)) || (b->views && !(b->views & 1u << v)))
                    continue;
                for (int i = 0; i < KEYS_MAX; i++)
                    for (int j = 0; j < KEYS_MAX; j++)
                        if (a->keys[i] && a->keys[i] == b->keys[j])
                            fail_msg("key %d: \"%s\" and \"%s\"", a->keys[i], a->help, b->help);
            }
}

static void every_command_has_a_key_and_a_help_text(void **state)
{
    (void)state;
    bool seen[CMD_COUNT] = {false};
    for (const struct binding *b = key_table; b->command != CMD_NONE; b++) {
        seen[b->command] = true;
        assert_true(b->keys[0] != K_NONE);
        assert_true(b->names[0] && b->help[0] && strlen(b->help) <= 18);
        assert_true(strlen(b->names) <= 9);
    }
    for (int c = CMD_NONE + 1; c < CMD_COUNT; c++)
        if (!seen[c])
            fail_msg("command %d has no key", c);
}

static void function_keys_have_letters(void **state)
{
    (void)state;
    for (const struct binding *b = key_table; b->command != CMD_NONE; b++) {
        bool function = false, letter = false;
        for (int i = 0; i < KEYS_MAX; i++) {
            function |= b->keys[i] >= K_F1 && b->keys[i] <= K_F10;
            letter |= b->keys[i] > ' ' && b->keys[i] < 0x7f;
        }
        assert_true(!function || letter);
    }
}

static void escape_never_leaves(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        press(K_ESC);
    assert_int_equal(ui.requests, 0);
    press('q');
    assert_int_equal(ui.requests, REQUEST_QUIT);
}

static void quitting_asks_while_recording(void **state)
{
    (void)state;
    ui.recording = true;
    press(K_F10);
    assert_int_equal(ui.requests, 0);
    press('n');
    assert_int_equal(ui.overlay, OVERLAY_NONE);
    press(K_CTRL('C'));
    press('y');
    assert_int_equal(ui.requests, REQUEST_QUIT);
}

static void drill_in_sets_the_scope_and_back_restores_it(void **state)
{
    (void)state;
    press(K_ENTER);
    assert_int_equal(ui.nav.view, VIEW_LOOP);
    int pid = ui.nav.scope.pid;
    assert_true(pid > 0 && ui.nav.scope.tid > 0);
    press('5');
    assert_int_equal(ui.nav.scope.pid, pid);
    for (int i = 0; i < ui.tables[TABLE_FINDINGS].n; i++)
        assert_int_equal(ui.snap->findings[ui.tables[TABLE_FINDINGS].order[i].index].pid, pid);
    assert_true(ui.tables[TABLE_FINDINGS].n < ui.snap->nfindings);
    press(K_ESC);
    assert_int_equal(ui.nav.view, VIEW_OVERVIEW);
    assert_int_equal(ui.nav.scope.pid, 0);
}

static void the_cursor_sticks_to_its_item(void **state)
{
    (void)state;
    press('j');
    press('j');
    uint64_t cursor = ui.tables[TABLE_LOOPS].cursor;
    ui.tables[TABLE_LOOPS].sort = 2; // by PID: another order
    ui_changed(&ui);
    ui_prepare(&ui);
    assert_true(ui.tables[TABLE_LOOPS].cursor == cursor);
    int row = ui.tables[TABLE_LOOPS].row;
    assert_true(tables[TABLE_LOOPS]->id(&ui, ui.tables[TABLE_LOOPS].order[row].index) == cursor);
    tick(6);
    assert_true(ui.tables[TABLE_LOOPS].cursor == cursor);
}

static void filter_acts_while_typed_and_escape_restores(void **state)
{
    (void)state;
    int all = ui.tables[TABLE_LOOPS].n;
    press('\\');
    press('r');
    press('e');
    press('d');
    assert_int_equal(ui.tables[TABLE_LOOPS].n, 1);
    press(K_ESC);
    assert_int_equal(ui.tables[TABLE_LOOPS].n, all);
    press('\\');
    press('!');
    press('r');
    press('e');
    press('d');
    press(K_ENTER);
    assert_int_equal(ui.tables[TABLE_LOOPS].n, all - 1);
    press(K_ESC); // an accepted filter goes with Esc, too
    assert_int_equal(ui.tables[TABLE_LOOPS].n, all);
}

static void search_moves_the_cursor_only(void **state)
{
    (void)state;
    int all = ui.tables[TABLE_LOOPS].n;
    press('/');
    press('l');
    press('e');
    press('g');
    press(K_ENTER);
    assert_int_equal(ui.tables[TABLE_LOOPS].n, all);
    assert_int_equal(ui.tables[TABLE_LOOPS].row, all - 1);
    press('/');
    for (const char *c = "nothing like it"; *c; c++)
        press(*c);
    assert_string_equal(ui.message, "nothing holds \"nothing like it\"");
}

static void search_goes_through_an_open_page(void **state)
{
    (void)state;
    press('5');
    press(K_ENTER);
    uint64_t cursor = ui.tables[TABLE_FINDINGS].cursor;
    press('/');
    for (const char *c = "REMEDY"; *c; c++)
        press(*c);
    press(K_ENTER);
    assert_true(ui.page_top > 0);
    assert_true(ui.tables[TABLE_FINDINGS].cursor == cursor);
}

static void sorting_by_menu_and_header(void **state)
{
    (void)state;
    press('s');
    press('j');
    press('j');
    press('j');
    press(K_ENTER);
    assert_int_equal(ui.tables[TABLE_LOOPS].sort, 2);
    const struct table_state *t = &ui.tables[TABLE_LOOPS];
    int first = t->order[0].index;
    ui_click(&ui, &(struct hit){.kind = HIT_COLUMN, .value = 2}); // again: inverted
    ui_prepare(&ui);
    assert_true(t->invert);
    assert_true(t->order[0].index != first);
    press('I');
    assert_false(t->invert);
    assert_int_equal(t->order[0].index, first);
}

static void pause_keeps_the_picture_while_data_comes(void **state)
{
    (void)state;
    int64_t then = ui.snap->now_ns;
    press('p');
    tick(6);
    tick(7);
    assert_true(ui.snap->now_ns == then);
    assert_true(ui.latest->now_ns > then);
    press('[');
    assert_string_equal(ui.message, "there is no earlier picture");
    press(']');
    assert_int_equal((ui.snap->now_ns - then) / 1000000, 1000);
    press('p');
    assert_true(ui.snap == ui.latest);
}

static void stepping_goes_back_second_by_second(void **state)
{
    (void)state;
    for (int i = 6; i < 12; i++)
        tick(i);
    int64_t now = ui.snap->now_ns;
    press('[');
    assert_true(ui.paused);
    assert_int_equal((now - ui.snap->now_ns) / 1000000, 1000);
    press('[');
    assert_int_equal((now - ui.snap->now_ns) / 1000000, 2000);
    press(']');
    assert_int_equal((now - ui.snap->now_ns) / 1000000, 1000);
    for (int i = 0; i < 20; i++)
        press('[');
    assert_string_equal(ui.message, "there is no earlier picture");
}

static void disabled_keys_say_why(void **state)
{
    (void)state;
    press('[');
    assert_string_equal(ui.message, "there is no earlier picture");
    press(K_F5);
    assert_true(strstr(ui.message, "no use in this view") != NULL);
    press('3');
    press('t');
    press('s');
    assert_true(strstr(ui.message, "a tree has its own order") != NULL);
    assert_int_equal(ui.overlay, OVERLAY_NONE);
}

static void a_recording_steps_by_seeking(void **state)
{
    (void)state;
    struct snap *s = fixture_rich(8);
    s->recorded = true;
    ui_snapshot(&ui, s);
    ui.length_ns = s->now_ns;
    press('[');
    assert_int_equal(ui.requests, REQUEST_SEEK);
    assert_true(ui.seek_ns == s->now_ns - 1);
    ui.requests = 0;
    ui_snapshot(&ui, s);
    press(']');
    ui.requests = 0;
    ui_snapshot(&ui, s); // the same picture: there is nothing after it
    assert_int_equal(ui.requests, 0);
    assert_string_equal(ui.message, "this is the end of the recording");
    press('r');
    assert_string_equal(ui.message, "this is a recording already");
    snap_unref(s);
}

static void findings_can_be_muted(void **state)
{
    (void)state;
    press('5');
    uint64_t first = ui.tables[TABLE_FINDINGS].cursor;
    press('m');
    assert_true(ui_is_muted(&ui, first));
    assert_true(ui.tables[TABLE_FINDINGS].cursor == first);
    assert_int_equal(ui.tables[TABLE_FINDINGS].row, ui.tables[TABLE_FINDINGS].n - 1);
    press('m');
    assert_false(ui_is_muted(&ui, first));
}

static void detaching_asks_and_attaching_does_not(void **state)
{
    (void)state;
    press('a');
    assert_int_equal(ui.overlay, OVERLAY_DETACH);
    press('n');
    assert_int_equal(ui.requests, 0);
    press('a');
    press('y');
    assert_int_equal(ui.requests, REQUEST_DETACH);
    ui.requests = 0;
    ui_detached(&ui);
    assert_non_null(ui.snap); // what was seen stays
    press('r');
    assert_string_equal(ui.message, "detached: a attaches again");
    press('a');
    assert_int_equal(ui.requests, REQUEST_ATTACH);
    ui_attaching(&ui);
    assert_null(ui.snap);
    assert_false(ui.ended);
}

static void a_program_we_started_is_not_detached(void **state)
{
    (void)state;
    ui.started = true;
    press('a');
    assert_int_equal(ui.overlay, OVERLAY_NONE);
    assert_string_equal(ui.message, "loopscope started this program, which ends with it");
}

static void the_zoom_goes_round(void **state)
{
    (void)state;
    char *minute = screen_text(&ui, true);
    press('z');
    assert_int_equal(ui.zoom, ZOOM_OUT);
    char *far = screen_text(&ui, true);
    assert_non_null(strstr(far, "last 10 min"));
    press('z');
    char *near = screen_text(&ui, true);
    assert_non_null(strstr(near, "last 15 s"));
    press('z');
    char *again = screen_text(&ui, true);
    assert_string_equal(minute, again);
    assert_string_not_equal(minute, near);
    free(minute), free(far), free(near), free(again);
}

static void docs_show_the_rule_of_the_finding(void **state)
{
    (void)state;
    press('5');
    press('d');
    char *text = screen_text(&ui, true);
    assert_non_null(strstr(text, "MEANS"));
    assert_non_null(strstr(text, "loopscope rules loop-"));
    free(text);
    press(K_ESC);
    assert_false(ui.nav.page);
    assert_int_equal(ui.nav.view, VIEW_FINDINGS);
}

static void exporting_and_recording_ask_for_a_file(void **state)
{
    (void)state;
    press('e');
    press(K_CTRL('U'));
    for (const char *c = "a.json"; *c; c++)
        press(*c);
    press(K_ENTER);
    assert_int_equal(ui.requests, REQUEST_EXPORT);
    assert_string_equal(ui.path, "a.json");
    ui.requests = 0;
    press(K_F8);
    press(K_ESC);
    assert_int_equal(ui.requests, 0);
    press('c');
    assert_int_equal(ui.requests, REQUEST_COPY);
}

static void the_views_wish_for_their_rows(void **state)
{
    (void)state;
    struct wishes w = {0};
    ui_wishes(&ui, 1000, &w);
    assert_true(w.tasks.until_ns == 0 && w.fds.until_ns == 0);
    press('3');
    press(K_ENTER);
    ui_wishes(&ui, 1000, &w);
    assert_true(w.tasks.until_ns > 1000);
    assert_true(w.tasks.filter[0] != '\0');
    press('4');
    ui_wishes(&ui, 1000, &w);
    assert_true(w.tasks.until_ns == 0 && w.fds.until_ns > 1000);
}

int main(void)
{
    screen_locale();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_key_means_two_things_in_a_view),
        cmocka_unit_test(every_command_has_a_key_and_a_help_text),
        cmocka_unit_test(function_keys_have_letters),
        cmocka_unit_test_setup_teardown(escape_never_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(quitting_asks_while_recording, setup, teardown),
        cmocka_unit_test_setup_teardown(drill_in_sets_the_scope_and_back_restores_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_cursor_sticks_to_its_item, setup, teardown),
        cmocka_unit_test_setup_teardown(filter_acts_while_typed_and_escape_restores, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(search_moves_the_cursor_only, setup, teardown),
        cmocka_unit_test_setup_teardown(search_goes_through_an_open_page, setup, teardown),
        cmocka_unit_test_setup_teardown(sorting_by_menu_and_header, setup, teardown),
        cmocka_unit_test_setup_teardown(pause_keeps_the_picture_while_data_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(stepping_goes_back_second_by_second, setup, teardown),
        cmocka_unit_test_setup_teardown(disabled_keys_say_why, setup, teardown),
        cmocka_unit_test_setup_teardown(a_recording_steps_by_seeking, setup, teardown),
        cmocka_unit_test_setup_teardown(findings_can_be_muted, setup, teardown),
        cmocka_unit_test_setup_teardown(detaching_asks_and_attaching_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_we_started_is_not_detached, setup, teardown),
        cmocka_unit_test_setup_teardown(the_zoom_goes_round, setup, teardown),
        cmocka_unit_test_setup_teardown(docs_show_the_rule_of_the_finding, setup, teardown),
        cmocka_unit_test_setup_teardown(exporting_and_recording_ask_for_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(the_views_wish_for_their_rows, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
