// One struct stack for each id: the first one seen. Whoever shows a stack by its id shows the same offsets.
#ifndef LOOPSCOPE_INTERN_H
#define LOOPSCOPE_INTERN_H

#include "model.h"

// The stack to keep in place of s: borrowed until the next call, or s itself. Stacks that nobody else holds are let go
// of by and by.
struct stack *stack_intern(struct model *m, struct stack *s);
unsigned int stacks_interned(const struct model *m); // their number
void stack_intern_free(struct model *m);

#endif
