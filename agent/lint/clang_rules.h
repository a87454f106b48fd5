#ifndef LOOPSCOPE_LINT_CLANG_RULES_H
#define LOOPSCOPE_LINT_CLANG_RULES_H

#include "clang_unit.h"
#include "lint.h"

struct check {
    struct lint_report *r;
    const struct unit *u;
    const char *path;
    const struct lint_settings *settings;
    int *from; // the call by which a function was reached from a task; -1 it is one, -2 not
    int *from_thread;
};

void clang_rules_judge(struct lint_report *r, const struct unit *u, const char *path,
                       const struct lint_settings *settings);

// For the rules among themselves. The finding is the report's, valid until the next one.
struct lint_finding *clang_tell(struct check *c, const char *rule_id, const struct c_call *call,
                                const char *about, const char *remedy, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
bool clang_is_await(const char *name);
void clang_judge_open(struct check *c, const struct c_call *call);

#endif
