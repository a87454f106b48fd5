// Each view on a fixed picture, as text and as style letters.
#include <stdio.h>
#include <stdlib.h>

#include "screen.h"

static const struct {
    int rows, cols;
} sizes[] = {{24, 80}, {30, 100}, {50, 160}};

static const struct scene {
    const char *name, *keys;
    int tick;
} scenes[] = {
    {"overview", "", 5},       {"loop", "\n", 5},       {"tasks", "3", 5},
    {"task-tree", "3t", 5},    {"task-flat", "3tt", 5}, {"fds", "4", 5},
    {"findings", "5", 5},      {"finding", "5\n", 5},   {"folded", "\nf", 5},
    {"help", "?", 5},          {"sort", "s", 5},        {"setup", "S", 5},
    {"filter", "\\node\n", 5}, {"search", "5/loop", 5}, {"export", "e", 5},
    {"rule", "5d", 5},         {"zoomed", "z", 5},      {"braille", "Sj \033", 5},
};

static void check(const struct scene *scene, int rows, int cols)
{
    struct ui ui;
    char name[96];
    screen_open(&ui, fixture_rich(scene->tick), rows, cols);
    screen_keys(&ui, scene->keys);
    char *text = screen_text(&ui, false);
    snprintf(name, sizeof(name), "%s-%dx%d.utf8", scene->name, cols, rows);
    screen_golden(name, text);
    free(text);
    text = screen_text(&ui, true);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c >= 0x80)
            fail_msg("%s: not ASCII", name);
    snprintf(name, sizeof(name), "%s-%dx%d.ascii", scene->name, cols, rows);
    screen_golden(name, text);
    free(text);
    text = screen_mono(&ui);
    snprintf(name, sizeof(name), "%s-%dx%d.mono", scene->name, cols, rows);
    screen_golden(name, text);
    free(text);
    ui_finish(&ui);
}

static void every_view_matches_its_golden_screen(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++)
        for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++)
            check(&scenes[i], sizes[s].rows, sizes[s].cols);
}

static void styles_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++) {
        struct ui ui;
        char name[96];
        screen_open(&ui, fixture_rich(scenes[i].tick), 30, 100);
        screen_keys(&ui, scenes[i].keys);
        char *text = screen_styles(&ui);
        snprintf(name, sizeof(name), "%s-100x30.styles", scenes[i].name);
        screen_golden(name, text);
        free(text);
        ui_finish(&ui);
    }
}

static void check_other(const char *name, struct snap *s, const char *keys)
{
    struct ui ui;
    screen_open(&ui, s, 30, 100);
    screen_keys(&ui, keys);
    char *text = screen_text(&ui, false);
    screen_golden(name, text);
    free(text);
    ui_finish(&ui);
}

static void quiet_and_empty_pictures_have_screens(void **state)
{
    (void)state;
    check_other("quiet-overview", fixture_quiet(), "");
    check_other("quiet-loop", fixture_quiet(), "\n");
    check_other("quiet-findings", fixture_quiet(), "5");
    check_other("quiet-tasks", fixture_quiet(), "3");
    check_other("quiet-fds", fixture_quiet(), "4");
    check_other("empty-overview", fixture_empty(), "");
}

static void no_picture_yet(void **state)
{
    (void)state;
    struct ui ui;
    ui_init(&ui);
    snprintf(ui.source, sizeof(ui.source), "4711");
    char *text = screen_text(&ui, false);
    screen_golden("waiting", text);
    free(text);
    struct error err;
    error_set(&err, STATUS_NO_ATTACH, 1, "process 4711 belongs to another user");
    error_hint(&err, "run as root, or as its user with --backend proc");
    ui_end(&ui, &err);
    text = screen_text(&ui, false);
    screen_golden("no-permission", text);
    free(text);
    ui_finish(&ui);
}

static void target_gone_keeps_the_last_picture(void **state)
{
    (void)state;
    struct ui ui;
    screen_open(&ui, fixture_rich(5), 30, 100);
    ui_end(&ui, NULL);
    char *text = screen_text(&ui, false);
    screen_golden("target-gone", text);
    free(text);
    ui_finish(&ui);
}

static void too_small_is_one_sentence(void **state)
{
    (void)state;
    struct ui ui;
    screen_open(&ui, fixture_rich(5), 10, 50);
    char *text = screen_text(&ui, false);
    screen_golden("too-small", text);
    free(text);
    ui_finish(&ui);
}

static void choosing_a_process(void **state)
{
    (void)state;
    struct ui ui;
    screen_open(&ui, fixture_rich(5), 30, 100);
    ui.choosing = true;
    ui.nav.view = VIEW_CHOOSE;
    ui_changed(&ui);
    char *text = screen_text(&ui, false);
    screen_golden("choose", text);
    free(text);
    ui_prepare(&ui);
    ui_key(&ui, K_ENTER);
    assert_int_equal(ui.requests, REQUEST_OPEN);
    assert_true(ui.open_pid > 0);
    ui_finish(&ui);
}

int main(void)
{
    screen_locale();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_view_matches_its_golden_screen),
        cmocka_unit_test(styles_match),
        cmocka_unit_test(quiet_and_empty_pictures_have_screens),
        cmocka_unit_test(no_picture_yet),
        cmocka_unit_test(target_gone_keeps_the_last_picture),
        cmocka_unit_test(too_small_is_one_sentence),
        cmocka_unit_test(choosing_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
