// What a stall is put down to.
#ifndef LOOPSCOPE_STALL_CAUSE_H
#define LOOPSCOPE_STALL_CAUSE_H

#include "model.h"

// Makes the cause anew, from what the split and the looks say by now.
void stall_settle(struct stall *s);
// The look that has something to say of a cause of this kind; NULL: none.
const struct stall_sample *stall_detail(const struct stall *s, enum cause_kind kind);
bool sample_in_futex(const struct stall_sample *k);

#endif
