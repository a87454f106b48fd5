// Starts fixtures and captures their threads' registers and stacks, by ptrace: these are children of the
// test, never anybody's process.
#ifndef LOOPSCOPE_TEST_STACK_TARGET_H
#define LOOPSCOPE_TEST_STACK_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#include "stacker.h"

#define CAPTURE_BYTES (256u << 10)

struct target_process {
    pid_t pid, tid; // tid: the thread to look at
    int output;     // its stdout
};

struct capture {
    struct stack_request request; // request.stack points into this
    uint8_t stack[CAPTURE_BYTES];
};

// Starts build/tests/NAME with one argument and waits for "ready".
struct target_process start_fixture(const char *name, const char *mode);
// Starts any program; waits until its output begins, or (wait false) not at all.
struct target_process start_program(char *const argv[], bool wait);
void stop_target(struct target_process *t);
// At most bytes of the stack are copied.
void capture(const struct target_process *t, struct capture *c, size_t bytes);

#endif
