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
// Source that comes with the compiler: instantiated or inlined into every program.
bool is_runtime_source(const char *file); // NULL: false
// Where a program or a thread begins (main, _start, clone).
bool is_start_function(const char *name);
// The frames that run a loop (uv_run, aeMain, run_forever, ...).
struct loop_runs {
    int count;
    int innermost, outermost; // -1 none
};
struct loop_runs find_loop_runs(const struct frame *frames, int n);
// A language frame within the loop, or anywhere when no loop is seen, that is not the loop's own work:
// what waits beneath it is a block (execSync), not the loop's wait.
bool is_in_language(const struct frame *frames, int n);
// Sets runtime on frames that belong to the loop or to a language's own library.
void mark_runtime(struct frame *frames, int n);
// The innermost frame that is the user's own, within the loop where the stack has one; -1 none.
int find_culprit(const struct frame *frames, int n);

#endif
