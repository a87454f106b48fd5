// One command is one file (cmd_*.c) and one entry in the table of commands.c.
#ifndef LOOPSCOPE_CMD_H
#define LOOPSCOPE_CMD_H

#include "error.h"
#include "opts.h"

enum cmd_takes { // positional arguments
    TAKES_NOTHING,
    TAKES_TARGET,     // must be told
    TAKES_TARGET_ALL, // --all when not told
    TAKES_TARGET_OPT, // may be left out
    TAKES_RULE,       // [ID]
    TAKES_TWO_FILES,  // A B, recordings
    TAKES_PATHS,      // PATH..., files and folders
};

struct command {
    const char *name, *args, *summary;
    const char *examples; // lines for --help
    enum cmd_takes takes;
    // Returns an exit status of cli.md. Prints its own errors: one line, one hint at most.
    int (*run)(const struct opts *opts);
};

extern const struct command commands[]; // name NULL ends it; the first is the default
const struct command *command_find(const char *name);

int cmd_top(const struct opts *opts);
int cmd_ps(const struct opts *opts);
int cmd_watch(const struct opts *opts);
int cmd_check(const struct opts *opts);
int cmd_loops(const struct opts *opts);
int cmd_tasks(const struct opts *opts);
int cmd_fds(const struct opts *opts);
int cmd_stacks(const struct opts *opts);
int cmd_record(const struct opts *opts);
int cmd_report(const struct opts *opts);
int cmd_diff(const struct opts *opts);
int cmd_serve(const struct opts *opts);
int cmd_doctor(const struct opts *opts);
int cmd_rules(const struct opts *opts);
int cmd_lint(const struct opts *opts);

#endif
