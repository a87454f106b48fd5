// The command line is a contract: words in, struct opts out, one clear line for what is wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../../agent/cli.h"
#include "../../../agent/snapshot/snapshot.h"
#include "commands_for_tests.h"

#define MS 1000000LL

static struct cli cli;
static struct error err;
static char recording[] = "/tmp/loopscope-test-cli-XXXXXX";

static int parse(const char *line)
{
    static char copy[1000];
    static char *argv[40];
    int argc = 0;
    cli_finish(&cli);
    err = (struct error){0};
    snprintf(copy, sizeof(copy), "loopscope %s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc] = NULL;
    return cli_parse(&cli, argc, argv, &err);
}

#define OK(line) assert_int_equal(parse(line), 0)
#define BAD(line, part)                                                                            \
    do {                                                                                           \
        assert_true(parse(line) < 0);                                                              \
        assert_int_equal(err.status, STATUS_USAGE);                                                \
        if (!strstr(err.text, part))                                                               \
            fail_msg("'%s' gave '%s', not '%s'", line, err.text, part);                            \
        assert_null(strchr(err.text, '\n'));                                                       \
        assert_null(strchr(err.hint, '\n'));                                                       \
    } while (0)

static void options_stand_anywhere(void **state)
{
    (void)state;
    OK("--json check --for 3s 4711 --threshold 50ms");
    assert_string_equal(cli.command->name, "check");
    assert_int_equal(cli.opts.target, TARGET_PID);
    assert_int_equal(cli.opts.pid, 4711);
    assert_true(cli.opts.json);
    assert_int_equal(cli.opts.for_ns, 3000 * MS);
    assert_int_equal(cli.opts.threshold_ns, 50 * MS);
    OK("--for=1.5 loops 4711");
    assert_int_equal(cli.opts.for_ns, 1500 * MS);
}

static void second_word_is_no_command(void **state)
{
    (void)state;
    BAD("4711 loops", "too many");
}

static void targets(void **state)
{
    (void)state;
    OK("watch --name node*");
    assert_int_equal(cli.opts.target, TARGET_NAME);
    assert_string_equal(cli.opts.text, "node*");
    OK("watch --all");
    assert_int_equal(cli.opts.target, TARGET_ALL);
    OK("watch --cgroup /system.slice/x.service");
    assert_int_equal(cli.opts.target, TARGET_CGROUP);
    OK("watch --unit x");
    assert_int_equal(cli.opts.target, TARGET_UNIT);
    OK("check --for 2s -- sleep --for 3");
    assert_int_equal(cli.opts.target, TARGET_COMMAND);
    assert_string_equal(cli.opts.argv[0], "sleep");
    assert_string_equal(cli.opts.argv[1], "--for");
    assert_null(cli.opts.argv[3]);
    char line[200];
    snprintf(line, sizeof(line), "report %s", recording);
    OK(line);
    assert_int_equal(cli.opts.target, TARGET_RECORDING);
    snprintf(line, sizeof(line), "record %s -o x.lsr", recording);
    BAD(line, "live TARGET");
}

static void default_command_is_top(void **state)
{
    (void)state;
    OK("");
    assert_string_equal(cli.command->name, "top");
    assert_int_equal(cli.opts.target, TARGET_NONE); // the dashboard offers what there is
    OK("4711 --once");
    assert_string_equal(cli.command->name, "top");
    assert_int_equal(cli.opts.pid, 4711);
    assert_true(cli.opts.once);
    OK("ps");
    assert_int_equal(cli.opts.target, TARGET_ALL);
}

static void wrong_targets(void **state)
{
    (void)state;
    BAD("check", "needs a TARGET");
    BAD("check nosuchfile.lsr", "neither a PID nor a file");
    BAD("check 12x", "neither a PID nor a file");
    BAD("check -5", "unknown option -5");
    BAD("check 1 2", "too many");
    BAD("check 1 --all", "more than one TARGET");
    BAD("check --all --name x", "more than one TARGET");
    BAD("check 1 -- sleep 1", "both");
    BAD("check --", "COMMAND");
    BAD("rules --all", "takes no TARGET");
    BAD("chekc 1", "neither a command");
    assert_string_equal(err.hint, "did you mean check?");
}

static void impossible_pid_cannot_be_attached(void **state)
{
    (void)state;
    assert_true(parse("check 99999999999999999999") < 0);
    assert_int_equal(err.status, STATUS_NO_ATTACH);
    assert_true(parse("check 0") < 0);
    assert_int_equal(err.status, STATUS_NO_ATTACH);
}

static void wrong_options(void **state)
{
    (void)state;
    BAD("check 1 --thresold 5ms", "unknown option --thresold");
    assert_string_equal(err.hint, "did you mean --threshold?");
    BAD("check 1 --for", "--for needs TIME");
    BAD("check 1 --for -- x", "--for needs TIME");
    BAD("check 1 --json=yes", "takes no value");
    BAD("check 1 --for 3q", "duration");
    BAD("check 1 --for -1s", "duration");
    BAD("check 1 --for 1e400", "duration");
    BAD("check 1 --threshold 0", "1ms");
    BAD("check 1 --tree", "check has no option --tree");
    BAD("check 1 --fail-on error", "--fail-on wants");
    BAD("check 1 --backend ebpf", "--backend wants");
    BAD("check 1 --color maybe", "--color wants");
    BAD("check 1 --time-scale 0", "--time-scale wants");
    BAD("check 1 --time-scale nan", "--time-scale wants");
    BAD("tasks 1 --state lost", "--state wants");
    BAD("report 1 --format docx", "--format wants");
    BAD("record 1 --max-size 5q", "--max-size wants");
    BAD("record 1 --ring 1ms", "--ring wants");
    BAD("watch 1 -o nonsense", "rule.key=value");
    BAD("check 1 -o loop-blocked.warn", "rule.key=value");
    BAD("serve 1 --allow-user nobody-of-this-name", "there is no user");
    BAD("serve 1 --allow-uid -1", "a user's number");
    BAD("check 1 --connect /run/x", "more than one TARGET");
    BAD("watch 1 -Z", "unknown option -Z");
}

static void settings_and_files(void **state)
{
    (void)state;
    OK("record 1 -o x.lsr -o loop-cpu.min=0.5");
    assert_string_equal(cli.opts.output, "x.lsr");
    assert_int_equal(cli.opts.nsettings, 1);
    assert_string_equal(cli.opts.settings[0], "loop-cpu.min=0.5");
    OK("watch 1 -oloop-cpu.min=1 --set fd-leak.after=3");
    assert_int_equal(cli.opts.nsettings, 2);
    char path[] = "/tmp/loopscope-test-conf-XXXXXX", line[200];
    int fd = mkstemp(path);
    const char *text = "# a comment\n\n  loop-cpu.min = wrong\n";
    assert_true(write(fd, text, strlen(text)) > 0);
    snprintf(line, sizeof(line), "watch 1 -c %s", path);
    BAD(line, ":3: wants rule.key=value");
    text = "# a comment\nloop-blocked.warn=50ms # why\r\n\nfd-leak.min=7\n";
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_true(pwrite(fd, text, strlen(text), 0) > 0);
    OK(line);
    assert_int_equal(cli.opts.nsettings, 2);
    assert_string_equal(cli.opts.settings[0], "loop-blocked.warn=50ms");
    assert_string_equal(cli.opts.settings[1], "fd-leak.min=7");
    close(fd);
    unlink(path);
    BAD("watch 1 -c /nonexistent/file", "cannot read");
}

static void thresholds(void **state)
{
    (void)state;
    OK("watch 1");
    assert_int_equal(cli.opts.threshold_ns, 100 * MS);
    OK("watch 1 --strict");
    assert_int_equal(cli.opts.threshold_ns, 25 * MS);
    OK("watch 1 --strict --threshold 40ms");
    assert_int_equal(cli.opts.threshold_ns, 40 * MS);
}

static void values(void **state)
{
    (void)state;
    OK("check 1 --fail-on never --ignore loop-cpu --ignore fd-leak:*x*");
    assert_int_equal(cli.opts.fail_on, FAIL_NEVER);
    assert_int_equal(cli.opts.nignore, 2);
    OK("check 1");
    assert_int_equal(cli.opts.fail_on, SEV_WARNING);
    OK("record 1 -o f --max-size 50M --ring 10m");
    assert_int_equal(cli.opts.max_bytes, 50 << 20);
    assert_int_equal(cli.opts.ring_ns, 600000 * MS);
    OK("rules loop-cpu");
    assert_string_equal(cli.opts.second, "loop-cpu");
    OK("top -d.5 -v");
    assert_int_equal(cli.opts.delay_ns, 500 * MS);
    assert_true(cli.opts.verbose);
}

static void help_and_version_win(void **state)
{
    (void)state;
    OK("check --help");
    assert_true(cli.help);
    assert_string_equal(cli.command->name, "check");
    OK("--help");
    assert_true(cli.help);
    assert_null(cli.command);
    OK("help loops");
    assert_string_equal(cli.command->name, "loops");
    OK("--version");
    assert_true(cli.version);
}

static void every_command_has_help_with_examples(void **state)
{
    (void)state;
    for (const struct command *c = commands; c->name; c++) {
        char *text;
        size_t size;
        FILE *f = open_memstream(&text, &size);
        cli_help(f, c);
        fclose(f);
        assert_non_null(strstr(text, "examples:\n  loopscope"));
        assert_non_null(strstr(text, "--threshold"));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(second_word_is_no_command),
        cmocka_unit_test(targets),
        cmocka_unit_test(default_command_is_top),
        cmocka_unit_test(wrong_targets),
        cmocka_unit_test(impossible_pid_cannot_be_attached),
        cmocka_unit_test(wrong_options),
        cmocka_unit_test(settings_and_files),
        cmocka_unit_test(thresholds),
        cmocka_unit_test(values),
        cmocka_unit_test(help_and_version_win),
        cmocka_unit_test(every_command_has_help_with_examples),
    };
    close(mkstemp(recording));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cli_finish(&cli);
    unlink(recording);
    return failed;
}
