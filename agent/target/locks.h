// Who holds what a thread waits for.
#ifndef LOOPSCOPE_LOCKS_H
#define LOOPSCOPE_LOCKS_H

#include "model.h"

bool syscall_is_lock(long syscall, const uint64_t *args); // futex waits and file locks
void lock_describe(int pid, int tid, long syscall, const uint64_t *args, struct snap *box,
                   struct cause *cause);

#endif
