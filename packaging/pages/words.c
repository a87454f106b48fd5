// What may follow an option. Choices are not listed a second time: a word counts when the option's own
// reader accepts it, and the words to try are those of its help text, the formats and the task states.
#include <stdlib.h>
#include <string.h>

#include "../../agent/export/export.h"
#include "../../agent/lint/lint.h"
#include "pages.h"

bool has_own_formats(const struct command *command)
{
    return command && command->takes == TAKES_PATHS; // it reports on source, not on a snapshot
}

enum completion_kind completion_kind(const struct option_spec *o)
{
    static const struct {
        const char *arg;
        enum completion_kind kind;
    } kinds[] = {
        {"FORMAT", COMPLETE_WORDS},       {"STATE", COMPLETE_WORDS},
        {"SEVERITY", COMPLETE_WORDS},     {"WHICH", COMPLETE_WORDS},
        {"WHEN", COMPLETE_WORDS},         {"FILE", COMPLETE_FILE},
        {"PATH", COMPLETE_FILE},          {"SOCKET", COMPLETE_FILE},
        {"FILE.lsr", COMPLETE_RECORDING}, {"RULE.KEY=VALUE", COMPLETE_SETTING},
        {"RULE[:GLOB]", COMPLETE_RULE},   {"CMD", COMPLETE_COMMAND},
    };
    if (!o->arg)
        return COMPLETE_NOTHING;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (!strcmp(o->arg, kinds[i].arg))
            return kinds[i].kind;
    return COMPLETE_ANY;
}

static const struct command *command_with(const struct option_spec *o)
{
    const struct command *c = commands;
    while (c->name && !option_is_of(o, c))
        c++;
    return c->name ? c : commands;
}

static bool accepts(const struct option_spec *o, const char *word)
{
    struct cli c = {.command = command_with(o), .opts = opts_default()};
    struct error err = {0};
    bool yes = option_apply(&c, o, word, &err) == 0;
    cli_finish(&c);
    return yes;
}

void completion_words(const struct option_spec *o, const struct command *command,
                      void (*each)(void *arg, const char *word), void *arg)
{
    bool own = has_own_formats(command) && !strcmp(o->arg, "FORMAT");
    for (const struct lint_format *f = lint_formats; own && f->name; f++)
        each(arg, f->name);
    if (own)
        return;
    char *help = strdup(o->help), *rest = help;
    for (char *word; help && (word = strsep(&rest, " ,()"));)
        if (*word && accepts(o, word))
            each(arg, word);
    free(help);
    for (const struct export_format *f = export_formats; f->name; f++)
        if (accepts(o, f->name))
            each(arg, f->name);
    for (int s = TASK_NEW; s <= TASK_CANCELLED; s++)
        if (accepts(o, task_state_name((enum task_state)s)))
            each(arg, task_state_name((enum task_state)s));
}
