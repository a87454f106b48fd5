// --help: made from the tables, so that it cannot go stale.
#include <string.h>

#include "cli.h"

static void print_indented(FILE *out, const char *lines)
{
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        fprintf(out, "  %.*s\n", (int)n, lines);
        lines += n + (lines[n] == '\n');
    }
}

static void print_option(FILE *out, const struct option_spec *o)
{
    char names[64];
    const char *gap = o->arg ? " " : "", *arg = o->arg ? o->arg : "";
    if (!*o->name)
        snprintf(names, sizeof(names), "-%c %s", o->letter, arg);
    else if (o->letter)
        snprintf(names, sizeof(names), "-%c, --%s%s%s", o->letter, o->name, gap, arg);
    else
        snprintf(names, sizeof(names), "--%s%s%s", o->name, gap, arg);
    fprintf(out, "  %-24s %s\n", names, o->help);
}

static void print_options(FILE *out, const char *heading, const struct command *command, bool own)
{
    bool any = false;
    for (const struct option_spec *o = cli_options; o->name; o++) {
        if ((o->only != NULL) != own || !option_is_of(o, command))
            continue;
        if (!any)
            fprintf(out, "\n%s:\n", heading);
        any = true;
        print_option(out, o);
    }
}

static void help_program(FILE *out)
{
    fputs(
        "loopscope names what blocks a program's event loop while it is blocked, and what leaks.\n"
        "\nusage: loopscope [COMMAND] [TARGET] [options]\n\ncommands:\n",
        out);
    for (const struct command *c = commands; c->name; c++)
        fprintf(out, "  %-8s %s\n", c->name, c->summary);
    fputs(
        "\nTARGET: a PID, --name GLOB, --all, --cgroup PATH, --unit NAME, a recording (FILE.lsr),\n"
        "--connect SOCKET (what `serve --socket` sees), or -- COMMAND [ARG...] to start one.\n"
        "Options stand anywhere before --.\n",
        out);
    print_options(out, "common options", NULL, false);
    fputs("\nexamples:\n", out);
    for (const struct command *c = commands; c->name; c++) {
        char first[160];
        snprintf(first, sizeof(first), "%.*s", (int)strcspn(c->examples, "\n"), c->examples);
        print_indented(out, first);
    }
    fputs(
        "\nloopscope COMMAND --help tells more of one. Exit status: 0 clean, 1 findings, 2 usage,\n"
        "3 cannot attach, 4 too early to tell, 5 internal.\n",
        out);
}

void cli_help(FILE *out, const struct command *command)
{
    if (!command) {
        help_program(out);
        return;
    }
    fprintf(out, "loopscope %s %s: %s\n\nexamples:\n", command->name, command->args,
            command->summary);
    print_indented(out, command->examples);
    print_options(out, "options", command, true);
    print_options(out, "common options", command, false);
}

void cli_error(const struct error *err)
{
    fprintf(stderr, "loopscope: %s\n", err->text);
    if (err->hint[0])
        fprintf(stderr, "hint: %s\n", err->hint);
}
