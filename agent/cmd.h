// One command is one file (cmd_*.c) and one row of commands.def.
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

#define COMMAND(name, ...) int cmd_##name(const struct opts *opts);
#include "commands.def"
#undef COMMAND

#endif
