// The room's clock: deadlines of walks and requests are points of it.
#ifndef LOOPSCOPE_STACK_CLOCK_H
#define LOOPSCOPE_STACK_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t now_ns(void) // CLOCK_MONOTONIC
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

#endif
