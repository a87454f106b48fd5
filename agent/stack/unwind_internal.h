// What the unwinder and its rescue share.
#ifndef LOOPSCOPE_STACK_UNWIND_INTERNAL_H
#define LOOPSCOPE_STACK_UNWIND_INTERNAL_H

#include "unwind.h"

// Appends frames from these registers on until the outermost or until it knows no further; *last are the
// registers of the last frame appended. True: complete.
bool unwind_from(struct process *p, struct regset *last, bool activation, enum frame_found how,
                 struct unwound *ret);
// Looks up the stack for where to go on when the last frame has no usable call frame information.
// True: frames were appended (ret->complete tells whether to the end) and *last is that of the newest.
bool unwind_rescue(struct process *p, struct regset *last, struct unwound *ret);

#endif
