// One struct stack for each id: the first one seen. Whoever shows a stack by its id shows the same offsets.
#ifndef LOOPSCOPE_INTERN_H
#define LOOPSCOPE_INTERN_H

#include "model.h"

// The stack to keep in place of s: borrowed until the next call, or s itself.
struct stack *stack_intern(struct model *m, struct stack *s);
void stack_intern_free(struct model *m);

#endif
