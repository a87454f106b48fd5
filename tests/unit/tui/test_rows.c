// Order, filter and what is kept of them from picture to picture, against the plain way of doing it.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../../tui/match.h"
#include "screen.h"

#define SITES 6000 // enough that what depends on texts is kept

static char names[SITES][48];

static struct snap *picture(int tick)
{
    struct snap *s = snap_new();
    s->version = (uint64_t)tick + 1;
    s->now_ns = tick * 1000000000LL;
    s->ntask_sites = SITES;
    s->task_sites = snap_alloc(s, sizeof(*s->task_sites) * SITES);
    for (int i = 0; i < SITES; i++)
        s->task_sites[i] = (struct snap_task_site){.pid = 1,
                                                   .site = snap_strdup(s, names[i]),
                                                   .name = "Handle",
                                                   .live = (i * 7919 + tick) % SITES};
    return s;
}

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < SITES;
         i++) // texts that share much, and some that are equal or ends of others
        snprintf(names[i], sizeof(names[i]), "/srv/Module_%d/x%s:%d", i % 97, i % 3 ? ".py" : "",
                 i * 31 % 1000);
    return 0;
}

static void show(struct ui *ui, int tick)
{
    struct snap *s = picture(tick);
    ui_snapshot(ui, s);
    snap_unref(s);
    ui_prepare(ui);
}

static void press_all(struct ui *ui, const char *keys)
{
    for (; *keys; keys++) {
        ui_key(ui, *keys);
        ui_prepare(ui);
    }
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// A row is in order as soon as it is looked at, wherever, and whatever was looked at before.
static void look_here_and_there(struct ui *ui)
{
    const struct table_state *t = &ui->tables[TABLE_SITES];
    const char **sorted = malloc(sizeof(*sorted) * (size_t)t->n);
    for (int row = 0; row < t->n; row++)
        sorted[row] = ui->snap->task_sites[t->order[row].index].site;
    qsort(sorted, (size_t)t->n, sizeof(*sorted), compare_texts);
    for (int i = 0; i < 40 && t->n > 0; i++) {
        int row = i * 7919 % t->n;
        rows_settle(ui, TABLE_SITES, row, row + 3);
        for (int k = row; k < row + 3 && k < t->n; k++)
            assert_string_equal(ui->snap->task_sites[t->order[k].index].site, sorted[k]);
    }
    free(sorted);
    rows_settle(ui, TABLE_SITES, 0, t->n);
}

// All sites have another number of live tasks: the most first.
static void look_at_numbers(struct ui *ui)
{
    const struct table_state *t = &ui->tables[TABLE_SITES];
    for (int i = 0; i < 40 && t->n == SITES; i++) {
        int row = i * 3571 % SITES;
        rows_settle(ui, TABLE_SITES, row, row + 3);
        for (int k = row; k < row + 3 && k < SITES; k++)
            assert_int_equal(ui->snap->task_sites[t->order[k].index].live, SITES - 1 - k);
    }
    rows_settle(ui, TABLE_SITES, 0, t->n);
}

static void check(struct ui *ui, const char *needle, bool by_text)
{
    const struct table_state *t = &ui->tables[TABLE_SITES];
    int expected = 0;
    if (by_text)
        look_here_and_there(ui);
    else
        look_at_numbers(ui);
    for (int i = 0; i < SITES; i++)
        expected += strcasestr(ui->snap->task_sites[i].site, needle) != NULL;
    assert_int_equal(t->n, expected);
    for (int row = 0; row < t->n; row++) {
        const struct snap_task_site *s = &ui->snap->task_sites[t->order[row].index];
        assert_non_null(strcasestr(s->site, needle));
        const struct snap_task_site *b =
            row > 0 ? &ui->snap->task_sites[t->order[row - 1].index] : s;
        if (by_text)
            assert_true(strcmp(b->site, s->site) <= 0);
        else
            assert_true(b->live >= s->live);
    }
}

static void rows_are_right_in_every_picture(const char *keys, const char *needle, bool by_text)
{
    struct ui ui;
    ui_init(&ui);
    ui_resize(&ui, 30, 100);
    show(&ui, 0);
    press_all(&ui, keys);
    ui.hold = 0;
    for (int tick = 1; tick < 8; tick++) {
        if (tick == 4) // texts change: the kept answers are not good any more
            for (int i = 0; i < SITES; i += 5)
                snprintf(names[i], sizeof(names[i]), "/other/%d", (i * 13) % 211);
        show(&ui, tick);
        check(&ui, needle, by_text);
    }
    ui_finish(&ui);
}

static void a_filter_is_asked_again_where_texts_changed(void **state)
{
    (void)state;
    rows_are_right_in_every_picture("3\\ODULE_7\n", "module_7", false);
}

static void an_order_by_text_follows_the_texts(void **state)
{
    (void)state;
    rows_are_right_in_every_picture("3sjj\n", "", true);
}

static void an_order_by_number_is_made_where_it_is_looked_at(void **state)
{
    (void)state;
    rows_are_right_in_every_picture("3sjjjj\n", "", false);
    rows_are_right_in_every_picture("3", "", false); // the table's own
}

// Texts that share much, then differ late; that are equal; that are the beginning of others; that are long.
static void an_order_by_hostile_texts(void **state)
{
    for (int i = 0; i < SITES; i++) {
        int n = snprintf(names[i], sizeof(names[i]), "%s%s", i % 2 ? "/usr/lib/python3/" : "/srv/",
                         i % 5 ? "aaaaaaaaaaaaaaaa" : "");
        if (i % 7)
            snprintf(names[i] + n, sizeof(names[i]) - (size_t)n, "%c%d", i % 3 ? '\x01' : '\xff',
                     i * 31 % 4000);
        if (i == SITES / 2)
            names[i][0] = '\0';
    }
    (void)state;
    rows_are_right_in_every_picture("3sjj\n", "", true);
}

static void a_cursor_keeps_its_item_among_unordered_rows(void **state)
{
    (void)state;
    struct ui ui;
    ui_init(&ui);
    ui_resize(&ui, 30, 100);
    show(&ui, 0);
    press_all(&ui, "3jjjjj");
    const struct table_state *t = &ui.tables[TABLE_SITES];
    uint64_t cursor = t->cursor;
    press_all(&ui, "sjj\n");
    show(&ui, 1);
    assert_true(t->cursor == cursor);
    assert_true(tables[TABLE_SITES]->id(&ui, t->order[t->row].index) == cursor);
    press_all(&ui, "G");
    int last = t->order[t->row].index;
    for (int i = 0; i < SITES; i++)
        assert_true(strcmp(names[i], names[last]) <= 0);
    ui_finish(&ui);
}

static void both_at_once(void **state)
{
    (void)state;
    rows_are_right_in_every_picture("3sjj\n\\x.py\n", "x.py", true);
}

static void matching_agrees_with_the_library(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "a", "abc", "/srv/App.py:12", "aAaAb", "_7_77", "naïve.c", "xxxxxy", "Xy", "handler"};
    static const char *const needles[] = {"a",   "B", "abc", "app",      "12", "aab",
                                          "_77", "ï", "xy",  "handlers", "R"};
    for (size_t t = 0; t < sizeof(texts) / sizeof(*texts); t++)
        for (size_t n = 0; n < sizeof(needles) / sizeof(*needles); n++) {
            struct matcher m = matcher_make_plain(needles[n]);
            assert_int_equal(match_text(&m, texts[t]), strcasestr(texts[t], needles[n]) != NULL);
        }
    assert_true(matcher_make("!x").inverse);
    assert_false(matcher_make("!").inverse);
    assert_int_equal(matcher_make("!").len, 0);
}

int main(void)
{
    screen_locale();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_filter_is_asked_again_where_texts_changed, setup),
        cmocka_unit_test_setup(an_order_by_text_follows_the_texts, setup),
        cmocka_unit_test_setup(an_order_by_number_is_made_where_it_is_looked_at, setup),
        cmocka_unit_test(an_order_by_hostile_texts),
        cmocka_unit_test_setup(a_cursor_keeps_its_item_among_unordered_rows, setup),
        cmocka_unit_test_setup(both_at_once, setup),
        cmocka_unit_test(matching_agrees_with_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
