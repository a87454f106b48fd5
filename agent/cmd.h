// One command is one file (cmd_*.c) and one entry in the table of main.c.
#ifndef LOOPSCOPE_CMD_H
#define LOOPSCOPE_CMD_H

#include "error.h"
#include "opts.h"

struct command {
    const char *name, *args, *summary;
    const char *examples; // lines for --help
    // Returns an exit status of cli.md. Prints its own errors: one line, one hint at most.
    int (*run)(const struct opts *opts);
};

extern const struct command commands[]; // name NULL ends it

#endif
