// What a thread that sleeps in a futex waits for, by the functions it called to get there.
#ifndef LOOPSCOPE_STACK_LOCK_NAME_H
#define LOOPSCOPE_STACK_LOCK_NAME_H

#include "lang.h"

const char *lock_name(const struct native_frame *frames, int n); // NULL: they do not tell

#endif
