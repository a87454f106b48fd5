// From a finding of the run time to the rule of `loopscope lint` that looks for it in the source.
#ifndef LOOPSCOPE_LINT_LINK_H
#define LOOPSCOPE_LINT_LINK_H

#include <stddef.h>

#include "../snapshot/snapshot.h"

struct lint_link {
    const char *rule;   // lint's name for it; a literal
    char command[4400]; // a full command line
};

// false: no source file of a language that lint checks is known, or lint has no rule for it.
bool lint_link_of(const struct finding *f, struct lint_link *ret);

enum lint_language_id { LINT_PYTHON, LINT_C, LINT_JAVASCRIPT, LINT_LANGUAGES };
extern const char *const lint_language_names[LINT_LANGUAGES];
// Lint's rule for what this rule of the run time finds, in that language; NULL none.
const char *lint_rule_for(const char *rule, enum lint_language_id language);

#endif
