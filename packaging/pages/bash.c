// The lists of completion/loopscope.bash.in.
#include <errno.h>
#include <string.h>

#include "../../agent/rules/rule.h"
#include "pages.h"

static void put_word(void *arg, const char *word)
{
    fprintf(arg, " %s", word);
}

static void put_names(FILE *out, const struct option_spec *o, const char *between)
{
    if (o->letter)
        fprintf(out, "-%c%s", o->letter, *o->name ? between : "");
    if (*o->name)
        fprintf(out, "--%s", o->name);
}

static void options_of(FILE *out, const struct command *command)
{
    fprintf(out, "    %s) echo '", command->name);
    const char *gap = "";
    for (const struct option_spec *o = cli_options; o->name; o++) {
        if (!option_is_of(o, command))
            continue;
        fputs(gap, out);
        put_names(out, o, " ");
        gap = " ";
    }
    fputs("' ;;\n", out);
}

static void values_of(FILE *out, const struct option_spec *o)
{
    static const char *const kinds[] = {
        [COMPLETE_ANY] = "any",         [COMPLETE_WORDS] = "words",
        [COMPLETE_FILE] = "file",       [COMPLETE_RECORDING] = "recording",
        [COMPLETE_SETTING] = "setting", [COMPLETE_RULE] = "rule",
        [COMPLETE_COMMAND] = "command"};
    enum completion_kind kind = completion_kind(o);
    if (kind == COMPLETE_NOTHING)
        return;
    fputs("    ", out);
    put_names(out, o, " | ");
    fprintf(out, ") echo '%s", kinds[kind]);
    if (kind == COMPLETE_WORDS)
        completion_words(o, NULL, put_word, out);
    fputs("' ;;\n", out);
}

// What stands where no option does.
static const char *takes(const struct command *c)
{
    switch (c->takes) {
    case TAKES_TARGET:
    case TAKES_TARGET_ALL:
    case TAKES_TARGET_OPT: return "target";
    case TAKES_RULE: return "rule";
    case TAKES_TWO_FILES: return "recording";
    case TAKES_PATHS: return "file";
    default: break;
    }
    return "any";
}

int bash_fill_in(FILE *out, const char *name)
{
    if (!strcmp(name, "commands")) {
        fputs("_loopscope_commands='", out);
        for (const struct command *c = commands; c->name; c++)
            fprintf(out, "%s%s", c == commands ? "" : " ", c->name);
        fputs("'\n", out);
    } else if (!strcmp(name, "rules")) {
        fputs("_loopscope_rules='", out);
        for (int i = 0; all_rules[i]; i++)
            fprintf(out, "%s%s", i ? " " : "", all_rules[i]->id);
        fputs("'\n", out);
    } else if (!strcmp(name, "settings")) {
        fputs("_loopscope_settings='", out);
        const char *gap = "";
        for (int i = 0; all_rules[i]; i++)
            for (int k = 0; k < all_rules[i]->nkeys; k++, gap = " ")
                fprintf(out, "%s%s.%s=", gap, all_rules[i]->id, all_rules[i]->keys[k].key);
        fputs("'\n", out);
    } else if (!strcmp(name, "options")) {
        for (const struct command *c = commands; c->name; c++)
            options_of(out, c);
    } else if (!strcmp(name, "values")) {
        for (const struct command *c = commands; c->name; c++)
            if (has_own_formats(c)) {
                fprintf(out, "    %s:--format) echo 'words", c->name);
                completion_words(option_find("format", 6), c, put_word, out);
                fputs("' ;;\n", out);
            }
        for (const struct option_spec *o = cli_options; o->name; o++)
            values_of(out, o);
    } else if (!strcmp(name, "positional")) {
        for (const struct command *c = commands; c->name; c++)
            fprintf(out, "    %s) echo %s ;;\n", c->name, takes(c));
    } else {
        return -EINVAL;
    }
    return 0;
}
