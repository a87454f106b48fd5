// The command line of cli.md: words in, struct opts out.
//
// Options stand anywhere before `--`, so the words are first told apart (option, value, positional)
// and applied once the command is known: an option of another command is an error, not ignored.
#ifndef LOOPSCOPE_CLI_H
#define LOOPSCOPE_CLI_H

#include <stdio.h>

#include "cmd.h"

struct cli {
    const struct command *command;
    bool help, version;
    struct opts opts; // its strings are argv's or owned by `files`
    char **files;     // texts of -c files that settings point into
    int nfiles;
};

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_DURATION, OPTION_CALL };

struct option_spec {
    const char *name; // without "--"
    char letter;      // 0: none
    enum option_kind kind;
    size_t offset; // in struct opts, of a bool, const char * or int64_t
    int (*set)(struct cli *c, const char *value, struct error *err); // OPTION_CALL
    const char *arg;                                                 // for help
    const char *only; // commands that have it, space separated; NULL: all
    const char *help;
};
extern const struct option_spec cli_options[]; // name NULL ends it

// argv[0] is skipped. 0, or -EINVAL with *err filled (STATUS_USAGE, or NO_ATTACH for an impossible
// pid). Call cli_finish in both cases.
int cli_parse(struct cli *c, int argc, char **argv, struct error *err);
void cli_finish(struct cli *c);

bool option_is_of(const struct option_spec *o, const struct command *command);
const struct option_spec *option_find(const char *name, size_t len);
int option_apply(struct cli *c, const struct option_spec *o, const char *value, struct error *err);
bool looks_like_setting(const char *text); // rule.key=value
void add_text(const char ***list, int *n, const char *text);

// The word of `list` nearest to `text`, or NULL when none is near.
const char *nearest(const char *text, const char *const *list, int n);

void cli_help(FILE *out, const struct command *command); // command NULL: the program
void cli_error(const struct error *err);                 // on stderr: one line, one hint at most

#endif
