#include <errno.h>
#include <fnmatch.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "confine/confine.h"
#include "probe/perf.h"
#include "rules/rule.h"
#include "stack/stacker.h"

static int fail(const struct error *err)
{
    cli_error(err);
    return err->status;
}

// -o and -c are checked against the rules before anything is attached.
static int check_settings(const struct opts *o, struct error *err)
{
    struct rules *rules;
    int rc = rules_new(&rules, o->settings, o->nsettings, o->time_scale, err);
    if (rc == 0)
        rules_free(rules);
    return rc;
}

// A misspelt --ignore would silently let a pipeline fail, or pass.
static int check_ignore(const struct opts *o, struct error *err)
{
    for (int i = 0; i < o->nignore; i++) {
        char rule[64];
        snprintf(rule, sizeof(rule), "%.*s", (int)strcspn(o->ignore[i], ":"), o->ignore[i]);
        bool known = false;
        for (int k = 0; all_rules[k]; k++)
            known |= fnmatch(rule, all_rules[k]->id, 0) == 0;
        if (known)
            continue;
        error_set(err, STATUS_USAGE, EINVAL, "--ignore: there is no rule '%s'", rule);
        error_hint(err, "loopscope rules lists them");
        return -EINVAL;
    }
    return 0;
}

// What attaches: what it will need when it has given up its privileges is prepared before it has any probe.
static bool attaches(const struct cli *c)
{
    switch (c->opts.target) {
    case TARGET_PID:
    case TARGET_NAME:
    case TARGET_ALL:
    case TARGET_CGROUP:
    case TARGET_UNIT:
    case TARGET_COMMAND: return true;
    default: return c->command->run == cmd_top && c->opts.target == TARGET_NONE;
    }
}

static int run_confined(struct cli *c)
{
    struct error err = {0};
    struct opts *o = &c->opts;
    bool screen = c->command->run == cmd_top; // exports, records and keeps its settings
    struct confinement confinement = {.writes = o->output || screen,
                                      .unlinks = o->socket,
                                      .uprobes = o->handles || o->thread_checks,
                                      .output = o->output};
    if (stacker_spawner(&confinement.helpers, &err) < 0)
        return fail(&err);
    int r = opener_needed() ? opener_open(&confinement.events, perf_open_order) : 0;
    if (r < 0) {
        spawner_close(confinement.helpers);
        error_set(&err, STATUS_INTERNAL, -r, "cannot start what opens perf events: %s",
                  strerror(-r));
        return fail(&err);
    }
    o->confinement = &confinement;
    int status = c->command->run(o);
    o->confinement = NULL;
    opener_close(confinement.events);
    spawner_close(confinement.helpers);
    return status;
}

static int run(struct cli *c)
{
    struct error err = {0};
    bool lints = c->command->takes == TAKES_PATHS; // has rules and keys of its own
    if (!lints && (check_settings(&c->opts, &err) < 0 || check_ignore(&c->opts, &err) < 0))
        return fail(&err);
    return attaches(c) ? run_confined(c) : c->command->run(&c->opts);
}

// What was printed must have arrived, or its reader have gone.
static int written(int status)
{
    struct error err = {0};
    if (fflush(stdout) == 0 || errno == EPIPE || status != STATUS_CLEAN)
        return status;
    error_set(&err, STATUS_INTERNAL, errno, "cannot write to stdout: %s", strerror(errno));
    return fail(&err);
}

// No memory for a few bytes, or libuv without the descriptors it must have: one line and the right status.
static void on_abort(int number)
{
    static const char text[] = "loopscope: out of memory, or an internal error\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(number == SIGABRT && written >= 0 ? STATUS_INTERNAL : 128 + number);
}

// What is big is so for a moment: the kernel's types while programs load (12 MB), a document, a snapshot. Left to itself,
// malloc would learn from the first of these to keep such memory, in an arena for each thread.
static void give_back_what_is_free(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 256 << 10);
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
}

int main(int argc, char **argv)
{
    // The helper that parses foreign bytes is this program again.
    if (argc == 2 && !strcmp(argv[1], STACK_HELPER_ARG))
        return stack_helper_main(STACK_HELPER_FD);
    give_back_what_is_free();
    setlocale(LC_CTYPE, ""); // not LC_NUMERIC: our numbers are read by programs
    signal(SIGPIPE, SIG_IGN);
    signal(SIGABRT, on_abort);
    signal(SIGXFSZ, SIG_IGN); // a quota (ulimit -f) is an error to tell, not a death
    struct cli c;
    struct error err = {0};
    int rc = cli_parse(&c, argc, argv, &err);
    int status = STATUS_CLEAN;
    if (rc < 0)
        status = fail(&err);
    else if (c.version)
        puts("loopscope " LOOPSCOPE_VERSION);
    else if (c.help)
        cli_help(stdout, c.command);
    else
        status = run(&c);
    cli_finish(&c);
    return written(status);
}
