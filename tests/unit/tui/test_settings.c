// What is remembered between runs, and what is never written to.
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../tui/settings.h"
#include "screen.h"

static char home[64];

static int setup(void **state)
{
    (void)state;
    strcpy(home, "/tmp/loopscope-settings-XXXXXX");
    assert_non_null(mkdtemp(home));
    setenv("HOME", home, 1);
    unsetenv("XDG_STATE_HOME");
    unsetenv("XDG_CONFIG_HOME");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", home);
    return system(command);
}

static void sort_and_columns_come_back(void **state)
{
    (void)state;
    struct ui a, b;
    ui_init(&a);
    a.tables[TABLE_LOOPS].sort = 6;
    a.tables[TABLE_LOOPS].invert = true;
    a.tables[TABLE_FDS].hidden = 1u << 2 | 1u << 4;
    assert_int_equal(settings_save(&a), 0);
    ui_init(&b);
    settings_load(&b);
    assert_int_equal(b.tables[TABLE_LOOPS].sort, 6);
    assert_true(b.tables[TABLE_LOOPS].invert);
    assert_int_equal(b.tables[TABLE_FDS].hidden, 1u << 2 | 1u << 4);
    assert_int_equal(b.tables[TABLE_TASKS].sort, -1);
}

static void no_half_written_file_is_left(void **state)
{
    (void)state;
    struct ui ui;
    char path[512];
    ui_init(&ui);
    assert_int_equal(settings_save(&ui), 0);
    assert_non_null(settings_state_path("state", path, sizeof(path)));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    snprintf(path + strlen(path), 32, ".%d", getpid());
    assert_int_not_equal(stat(path, &st), 0);
}

static void the_users_config_wins_and_unknown_lines_do_no_harm(void **state)
{
    (void)state;
    struct ui ui;
    char path[256];
    snprintf(path, sizeof(path), "%s/.config", home);
    mkdir(path, 0700);
    strcat(path, "/loopscope");
    mkdir(path, 0700);
    strcat(path, "/config");
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs("# mine\nascii=yes\ndelay=2s\nsort.loops=no such column\nhidden.nothing=x\nrubbish\n=\n",
          out);
    fclose(out);
    ui_init(&ui);
    settings_load(&ui);
    assert_true(ui.ascii);
    assert_int_equal(ui.delay_ns / 1000000, 2000);
    assert_int_equal(ui.tables[TABLE_LOOPS].sort, -1);
}

static void without_a_home_nothing_is_written(void **state)
{
    (void)state;
    struct ui ui;
    ui_init(&ui);
    unsetenv("HOME");
    assert_true(settings_save(&ui) < 0);
    setenv("XDG_STATE_HOME", "relative", 1);
    assert_true(settings_save(&ui) < 0);
    unsetenv("XDG_STATE_HOME");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sort_and_columns_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(no_half_written_file_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(the_users_config_wins_and_unknown_lines_do_no_harm, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_a_home_nothing_is_written, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
