// libuv's worker pool: which threads it is, and whether all of them are at work while the loop idles.
#ifndef LOOPSCOPE_POOL_H
#define LOOPSCOPE_POOL_H

#include "model.h"

void pool_look(struct model *m, struct proc *p); // finds its idle workers; once a second
// Looks whether all work. True: they do, so look again soon.
bool pool_sample(struct model *m, struct proc *p);
int64_t pool_busy_ns(const struct thread *t); // of the window; SNAP_UNKNOWN where no pool is known

#endif
