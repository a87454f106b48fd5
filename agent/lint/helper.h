// A python3 child that runs the embedded helper: request in, lines out.
#ifndef LOOPSCOPE_LINT_HELPER_H
#define LOOPSCOPE_LINT_HELPER_H

#include <stdio.h>
#include <sys/types.h>

#include "../error.h"

struct helper {
    pid_t pid;
    int out; // its standard output, ours to read
};

// request is read by the child as fd 3. -errno with *err filled.
int helper_start(struct helper *h, const char *request, size_t size, struct error *err);
// Ends it when it still runs; its wait status.
int helper_end(struct helper *h);

#endif
