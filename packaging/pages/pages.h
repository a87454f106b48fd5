// Manual pages and completions, made from the tables of the program (agent/commands.c,
// agent/cli_options.c, agent/rules, the formats of export and lint), so that they cannot go stale.
#ifndef LOOPSCOPE_PAGES_H
#define LOOPSCOPE_PAGES_H

#include <stdio.h>

#include "../../agent/cli.h"

enum completion_kind { // what may follow an option
    COMPLETE_NOTHING,  // a flag
    COMPLETE_ANY,      // a number, a duration, an address: nobody can guess it
    COMPLETE_WORDS,    // a fixed choice
    COMPLETE_FILE,
    COMPLETE_RECORDING,
    COMPLETE_SETTING, // RULE.KEY=
    COMPLETE_RULE,
    COMPLETE_COMMAND,
};
bool has_own_formats(const struct command *command); // not those of agent/export
enum completion_kind completion_kind(const struct option_spec *o);
// The words that the option's own reader accepts, each passed to `each`.
void completion_words(const struct option_spec *o, const struct command *command,
                      void (*each)(void *arg, const char *word), void *arg);

// Lines "@NAME@" of the template become what fill_in(out, NAME) writes.
int fill_template(FILE *in, FILE *out, int (*fill_in)(FILE *out, const char *name));

void man_program(FILE *out);
void man_command(FILE *out, const struct command *command);
int bash_fill_in(FILE *out, const char *name); // -EINVAL: the template asks for what there is not
int zsh_fill_in(FILE *out, const char *name);

#endif
