// Whose function it is: the user's, or that of something everybody has (libc, a loop library, an
// interpreter). From names and paths only, so that recordings and tests can be judged alike.
#ifndef LOOPSCOPE_STACK_CULPRIT_H
#define LOOPSCOPE_STACK_CULPRIT_H

#include <stdbool.h>

#include "../snapshot/stack.h"

enum module_role {
    ROLE_USER,
    ROLE_LIBC,        // and its like: loader, vdso, compiler run-time
    ROLE_LOOP,        // libuv, libevent, libev, GLib
    ROLE_INTERPRETER, // node, CPython
};

enum module_role role_of_path(const char *path); // NULL, JIT code: ROLE_USER
// A function that belongs to none of the above by its module but by its name: uv_run linked statically,
// redis's ae.c, nanosleep in a static program.
bool is_runtime_function(const char *name);
// Does this frame run a loop (uv_run, aeProcessEvents, run_forever, ...)?
bool is_loop_run(const struct frame *f);
int count_loop_runs(const struct frame *frames, int n, int *innermost); // -1 none
// The innermost frame that is the user's own, within the loop where the stack has one; -1 none.
int find_culprit(const struct frame *frames, int n);

#endif
