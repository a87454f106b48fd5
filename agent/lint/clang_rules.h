#ifndef LOOPSCOPE_LINT_CLANG_RULES_H
#define LOOPSCOPE_LINT_CLANG_RULES_H

#include "clang_unit.h"
#include "lint.h"

void clang_rules_judge(struct lint_report *r, const struct unit *u, const char *path,
                       const struct lint_settings *settings);

#endif
