// The lists of completion/_loopscope.in: specifications of _arguments and _describe.
#include <errno.h>
#include <string.h>

#include "../../agent/rules/rule.h"
#include "pages.h"

// Inside single quotes, where _arguments and _describe read brackets and colons themselves.
static void put_quoted(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void put_word(void *arg, const char *word)
{
    fprintf(arg, "%s ", word);
}

static void put_action(FILE *out, const struct option_spec *o, const struct command *c)
{
    switch (completion_kind(o)) {
    case COMPLETE_NOTHING:
    case COMPLETE_ANY: break;
    case COMPLETE_WORDS:
        fputc('(', out);
        completion_words(o, c, put_word, out);
        fputc(')', out);
        break;
    case COMPLETE_FILE: fputs("_files", out); break;
    case COMPLETE_RECORDING: fputs("_files -g \"*.lsr\"", out); break;
    case COMPLETE_SETTING: fputs("_loopscope_settings", out); break;
    case COMPLETE_RULE: fputs("_loopscope_rules", out); break;
    case COMPLETE_COMMAND: fputs("_command_names -e", out); break;
    }
}

static void put_option(FILE *out, const struct option_spec *o, const struct command *c)
{
    fputs("        '*", out);
    if (o->letter && *o->name)
        fprintf(out, "'{-%c,--%s}'", o->letter, o->name);
    else if (o->letter)
        fprintf(out, "-%c", o->letter);
    else
        fprintf(out, "--%s", o->name);
    fputc('[', out);
    put_quoted(out, o->help);
    fputc(']', out);
    if (o->arg) {
        fputc(':', out);
        put_quoted(out, o->arg);
        fputc(':', out);
        put_action(out, o, c);
    }
    fputs("'\n", out);
}

static const char *positional(const struct command *c)
{
    switch (c->takes) {
    case TAKES_TARGET:
    case TAKES_TARGET_ALL:
    case TAKES_TARGET_OPT: return "'1:target:_loopscope_targets'";
    case TAKES_RULE: return "'1:rule:_loopscope_rules'";
    case TAKES_TWO_FILES: return "'*:recording:_files -g \"*.lsr\"'";
    case TAKES_PATHS: return "'*:file:_files'";
    default: break;
    }
    return "";
}

static void put_command_options(FILE *out, const struct command *c)
{
    fprintf(out, "    %s) specs=(\n", c->name);
    for (const struct option_spec *o = cli_options; o->name; o++)
        if (option_is_of(o, c))
            put_option(out, o, c);
    fprintf(out, "        %s\n    ) ;;\n", positional(c));
}

int zsh_fill_in(FILE *out, const char *name)
{
    if (!strcmp(name, "commands")) {
        for (const struct command *c = commands; c->name; c++) {
            fprintf(out, "    '%s:", c->name);
            put_quoted(out, c->summary);
            fputs("'\n", out);
        }
    } else if (!strcmp(name, "rules")) {
        for (int i = 0; all_rules[i]; i++) {
            fprintf(out, "    '%s:", all_rules[i]->id);
            put_quoted(out, all_rules[i]->meaning);
            fputs("'\n", out);
        }
    } else if (!strcmp(name, "settings")) {
        for (int i = 0; all_rules[i]; i++)
            for (int k = 0; k < all_rules[i]->nkeys; k++)
                fprintf(out, "    '%s.%s='\n", all_rules[i]->id, all_rules[i]->keys[k].key);
    } else if (!strcmp(name, "options")) {
        for (const struct command *c = commands; c->name; c++)
            put_command_options(out, c);
    } else {
        return -EINVAL;
    }
    return 0;
}
