// What may follow an option. Choices are not listed a second time: a word counts when the option's own
// reader accepts it, and the words to try are those of its help text, the formats and the task states.
#include <stdlib.h>
#include <string.h>

#include "../../agent/export/export.h"
#include "pages.h"

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

static bool accepts(const struct option_spec *o, const char *word)
{
    struct cli c = {.opts = opts_default()};
    struct error err = {0};
    bool yes = option_apply(&c, o, word, &err) == 0;
    cli_finish(&c);
    return yes;
}

void completion_words(const struct option_spec *o, void (*each)(void *arg, const char *word),
                      void *arg)
{
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
