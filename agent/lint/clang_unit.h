// What the C rules need to know of one source file: functions, calls, uses of variables, returns.
// Only what the file itself defines; bodies in headers are not looked into.
#ifndef LOOPSCOPE_LINT_CLANG_UNIT_H
#define LOOPSCOPE_LINT_CLANG_UNIT_H

#include <stdbool.h>

#include "clang_api.h"

struct place {
    unsigned line, column;
};

enum rounds { ROUNDS_NONE, ROUNDS_FEW, ROUNDS_ANY }; // of the loop around a call

struct c_function {
    char *name;
    struct place at;
    bool is_task, is_thread; // handed to the runtime, or to a thread
    bool is_stored;          // of a task's type, and in some table
};

struct c_call {
    int function; // in which
    char *name;
    struct place at;
    bool dropped; // its value goes nowhere
    bool is_task; // it gives an ls_task
    char *var;    // the variable it goes to; NULL
    enum rounds rounds;
    long long args[6]; // values that are known; ARG_UNKNOWN
};
#define ARG_UNKNOWN (-0x7fffffffffffffffLL)

struct c_use {          // of a variable or parameter
    int function, call; // call: as an argument of it; -1
    char *name;
    struct place at;
    bool returned, discarded; // discarded: (void)name
};

struct c_loop {
    int function;
    struct place at, body, end; // body: {0, 0} where the condition stands behind it
    long long rounds;
};

struct c_return {
    int function;
    struct place at, end;
};

struct c_handed { // a function used as an argument
    char *function;
    int call; // -1: stored, not passed
};

struct unit {
    const struct clang_api *api;
    struct c_function *functions;
    struct c_call *calls;
    struct c_use *uses;
    struct c_loop *loops;
    struct c_return *returns;
    struct c_handed *handed;
    int nfunctions, ncalls, nuses, nloops, nreturns, nhanded;
    struct {
        int functions, calls, uses, loops, returns, handed;
    } room; // for how many there is
    long lines;
};

static inline bool is_before(struct place a, struct place b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

// Reads a parsed translation unit. Call unit_finish.
void unit_read(struct unit *u, const struct clang_api *api, CXTranslationUnit tu);
void unit_finish(struct unit *u);
int unit_function(const struct unit *u, const char *name); // -1 none

#endif
