// A child that parses a language with that language's own parser: request in, lines out.
#ifndef LOOPSCOPE_LINT_HELPER_H
#define LOOPSCOPE_LINT_HELPER_H

#include <stdio.h>
#include <sys/types.h>

#include "lint.h"

#define HELPER_PARTS     8
#define HELPER_NO_PARSER 70 // the status of a helper that finds none

struct helper_program {
    const char *language;
    const char *argv[8];                // reads its program from standard input
    const char *parts[HELPER_PARTS][2]; // begin and end of each; read as one text
    long memory_max;                    // bytes of address space; 0: the interpreter limits itself
    const char *no_interpreter, *hint, *no_parser, *parser_hint; // said when it did not start
};

struct helper {
    pid_t pid;
    int out; // its standard output, ours to read
};

// request is read by the child as fd 3. -errno with *err filled.
int helper_start(struct helper *h, const struct helper_program *program, const char *request,
                 size_t size, struct error *err);
// Ends it when it still runs; its wait status.
int helper_end(struct helper *h);

// What a language by a helper does (lint.h); begins new helpers behind files that end one.
int helper_check(const struct helper_program *program, struct lint_report *r,
                 const struct lint_paths *paths, const struct lint_settings *settings,
                 struct error *err);

#endif
