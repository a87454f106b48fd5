// Polls that return at once and lead to nothing.
#ifndef LOOPSCOPE_SPIN_H
#define LOOPSCOPE_SPIN_H

#include "model.h"

// Once a second, with the thread's figures of now: how many polls have returned without progress since it was
// trusted, INT64_MIN where that cannot be told.
int64_t spin_polls(struct thread *t, const struct probe_stats *now);
// The descriptor that is always ready, where its epoll holds no other; SNAP_UNKNOWN.
int64_t spin_hot_fd(const struct thread *t);

#endif
