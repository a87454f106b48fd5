// Within the room: taking findings out of a report again.
#ifndef LOOPSCOPE_LINT_FILTER_H
#define LOOPSCOPE_LINT_FILTER_H

#include "lint.h"

void lint_remove(struct lint_report *r, int i);

#endif
