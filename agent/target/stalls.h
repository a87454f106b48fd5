// Turns that passed the threshold: looked into while they last, summed up when they end.
#ifndef LOOPSCOPE_STALLS_H
#define LOOPSCOPE_STALLS_H

#include "model.h"

void stall_sample(struct model *m, struct thread *t, const struct probe_sample *s);
void stall_turn(struct model *m, struct thread *t, const struct probe_turn *turn);
// Ends it now, its true end not being known; gone: the thread ended within it.
void stall_cut(struct model *m, struct thread *t, bool gone);
void stall_drop(struct model *m, struct thread *t);                 // it was none
void stall_tick(struct model *m);                                   // ages of the open ones
void stall_refresh(struct stall *s, const struct probe_stats *now); // the split of an open one
// After a snapshot: lets go of those that have ended and were shown.
void stall_shown(struct model *m);
void stall_free_all(struct model *m);
bool stall_is_ready(const struct stall *s); // to be shown

#endif
