// loopscope.1 and one page a command.
#include <ctype.h>
#include <string.h>

#include "../../agent/export/export.h"
#include "../../agent/lint/lint.h"
#include "../../agent/rules/rule.h"
#include "pages.h"
#include "roff.h"

static void head(FILE *out, const char *name, const char *summary)
{
    fputs(".TH ", out);
    for (const char *c = name; *c; c++)
        fputc(toupper((unsigned char)*c), out);
    fputs(" 1 \"\" \"loopscope " LOOPSCOPE_VERSION "\" \"User Commands\"\n", out);
    roff_section(out, "NAME");
    for (const char *c = name; *c; c++)
        fputs(*c == '-' ? "\\-" : (const char[]){*c, '\0'}, out);
    fputs(" \\- ", out);
    roff_text(out, summary);
}

static void option(FILE *out, const struct option_spec *o)
{
    char text[64];
    fputs(".TP\n", out);
    if (o->letter) {
        snprintf(text, sizeof(text), "-%c", o->letter);
        roff_bold(out, text);
        fputs(*o->name ? ", " : "", out);
    }
    if (*o->name) {
        snprintf(text, sizeof(text), "--%s", o->name);
        roff_bold(out, text);
    }
    if (o->arg) {
        fputc(' ', out);
        roff_italic(out, o->arg);
    }
    fputc('\n', out);
    roff_text(out, o->help);
}

static void options(FILE *out, const struct command *command, bool own)
{
    bool any = false;
    for (const struct option_spec *o = cli_options; o->name; o++) {
        if ((o->only != NULL) != own || !option_is_of(o, command))
            continue;
        if (!any)
            roff_section(out, own ? "OPTIONS" : "COMMON OPTIONS");
        any = true;
        option(out, o);
    }
}

static void target(FILE *out)
{
    roff_section(out, "TARGET");
    roff_text(out,
              "A process id; `--name GLOB`, `--all`, `--cgroup PATH` or `--unit NAME`; a "
              "recording (a file that `loopscope record` wrote), except for `record` itself; or "
              "`-- COMMAND [ARG...]`, which is started and ended with loopscope. "
              "Options stand anywhere before `--`.");
    fputs(".PP\n", out);
    roff_text(out, "A TARGET is only read: never stopped, traced, signalled or written to.");
}

static void durations(FILE *out)
{
    roff_section(out, "DURATIONS");
    roff_text(out, "A TIME is a number with ns, us, ms, s, m or h, as in `1.5s`; a bare number is "
                   "seconds.");
}

static void exit_status(FILE *out)
{
    static const struct {
        enum status status;
        const char *meaning;
    } all[] = {
        {STATUS_CLEAN, "clean: watched for long enough, and nothing found; or ended by ^C"},
        {STATUS_FINDINGS, "findings at or above `--fail-on`"},
        {STATUS_USAGE, "the command line is wrong"},
        {STATUS_NO_ATTACH, "could not attach, or not read the recording"},
        {STATUS_TOO_EARLY, "too early to tell"},
        {STATUS_INTERNAL, "internal error"},
    };
    roff_section(out, "EXIT STATUS");
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        fprintf(out, ".TP\n.B %d\n", all[i].status);
        roff_text(out, all[i].meaning);
    }
}

static void see_also(FILE *out, const struct command *but)
{
    roff_section(out, "SEE ALSO");
    if (but)
        fputs(".BR loopscope (1)", out);
    for (const struct command *c = commands; c->name; c++)
        if (c != but)
            fprintf(out, "%s.BR loopscope\\-%s (1)", but || c != commands ? ",\n" : "", c->name);
    fputc('\n', out);
}

// All a rule says of itself, with its keys in the form that -o takes.
static void rule(FILE *out, const struct rule *r)
{
    fputs(".TP\n", out);
    roff_bold(out, r->id);
    fprintf(out, " (%s)\n", severity_name(r->severity));
    roff_text(out, r->meaning);
    for (int i = 0; i < r->nkeys; i++) {
        char setting[128];
        snprintf(setting, sizeof(setting), "-o %s.%s=", r->id, r->keys[i].key);
        fputs(".br\n", out);
        roff_bold(out, setting);
        roff_italic(out, r->keys[i].unit);
        fputc('\n', out);
        if (r->keys[i].from)
            roff_text(out, r->keys[i].from);
    }
}

static void rules(FILE *out)
{
    roff_section(out, "RULES");
    roff_text(out, "What each needs to be shown, its defaults and its remedies are told by "
                   "`loopscope rules RULE`.");
    for (int i = 0; all_rules[i]; i++)
        rule(out, all_rules[i]);
}

static void format(FILE *out, const char *name, const char *summary)
{
    fputs(".TP\n", out);
    roff_bold(out, name);
    fputc('\n', out);
    roff_text(out, summary);
}

static void formats(FILE *out, const struct command *command)
{
    bool own = has_own_formats(command);
    roff_section(out, "FORMATS");
    for (const struct lint_format *f = lint_formats; own && f->name; f++)
        format(out, f->name, f->summary);
    for (const struct export_format *f = export_formats; !own && f->name; f++)
        format(out, f->name, f->summary);
}

static void usage(FILE *out, const char *name, const char *args)
{
    roff_section(out, "SYNOPSIS");
    roff_bold(out, name);
    if (*args) {
        fputc(' ', out);
        roff_italic(out, args);
    }
    fputs(" [\\fIoptions\\fR]\n", out);
}

void man_command(FILE *out, const struct command *command)
{
    char name[64];
    snprintf(name, sizeof(name), "loopscope-%s", command->name);
    head(out, name, command->summary);
    snprintf(name, sizeof(name), "loopscope %s", command->name);
    usage(out, name, command->args);
    if (command->takes <= TAKES_TARGET_OPT && command->takes != TAKES_NOTHING)
        target(out);
    options(out, command, true);
    if (option_is_of(option_find("format", 6), command))
        formats(out, command);
    if (command->takes == TAKES_RULE)
        rules(out);
    options(out, command, false);
    durations(out);
    roff_section(out, "EXAMPLES");
    roff_literal(out, command->examples);
    exit_status(out);
    see_also(out, command);
}

static void environment(FILE *out)
{
    roff_section(out, "ENVIRONMENT");
    fputs(".TP\n.B NO_COLOR\n", out);
    roff_text(out, "When set: no colour, unless `--color always` is given.");
}

static void privileges(FILE *out)
{
    roff_section(out, "PRIVILEGES");
    roff_text(out, "To watch every process: root, or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and "
                   "CAP_DAC_READ_SEARCH. With none, `--backend proc` watches processes of the same "
                   "user. `loopscope doctor` tells what works here, and how to get the rest.");
    roff_text(out, "Once attached it keeps these (and CAP_CHECKPOINT_RESTORE) at most, and lives "
                   "under a system call filter. Debian's kernels at kernel.perf_event_paranoid 3, "
                   "their default, grant perf events to CAP_SYS_ADMIN alone: as root, a process of "
                   "its own (loopscope-perf) keeps it and can do nothing but open them; without "
                   "root, computing threads have no stack there until it is set to 2.");
}

void man_program(FILE *out)
{
    head(out, "loopscope", "name what blocks an event loop while it is blocked, and what leaks");
    roff_section(out, "SYNOPSIS");
    fputs("\\fBloopscope\\fR [\\fICOMMAND\\fR] [\\fITARGET\\fR] [\\fIoptions\\fR]\n", out);
    roff_section(out, "DESCRIPTION");
    roff_text(out,
              "Attaches to running programs with an event loop (libuv, Node.js, asyncio, "
              "uvloop, redis, nginx, libevent, libev and plain epoll, poll, select and io_uring "
              "loops), without changing or restarting them.");
    roff_section(out, "COMMANDS");
    for (const struct command *c = commands; c->name; c++) {
        fputs(".TP\n", out);
        roff_bold(out, c->name);
        fputs(" ", out);
        roff_italic(out, c->args);
        fputc('\n', out);
        roff_text(out, c->summary);
    }
    target(out);
    options(out, NULL, false);
    durations(out);
    privileges(out);
    environment(out);
    exit_status(out);
    see_also(out, NULL);
}
