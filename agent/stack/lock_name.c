#include "lock_name.h"

#include <string.h>

#define FRAMES_LOOKED_AT 10 // from the leaf on: a lock's own functions are few

// The language's word before libc's: a Python lock is made of a semaphore.
static const struct {
    const char *symbol; // begins with it
    const char *name;
} locks[] = {
    {"PyThread_acquire_lock", "a Python lock"},
    {"_ZN2v88internal14FutexEmulation", "Atomics.wait"},
    {"_ZNSt28__atomic_futex_unsigned_base", "a std::future"},
    {"__pthread_cond_", "a condition variable"},
    {"pthread_cond_", "a condition variable"},
    {"__new_sem_wait", "a semaphore"},
    {"sem_", "a semaphore"},
    {"__pthread_rwlock_", "a read-write lock"},
    {"pthread_rwlock_", "a read-write lock"},
    {"__pthread_barrier_", "a barrier"},
    {"pthread_barrier_", "a barrier"},
};

const char *lock_name(const struct native_frame *frames, int n)
{
    if (n > FRAMES_LOOKED_AT)
        n = FRAMES_LOOKED_AT;
    for (size_t k = 0; k < sizeof(locks) / sizeof(*locks); k++)
        for (int i = 0; i < n; i++)
            if (frames[i].symbol &&
                strncmp(frames[i].symbol, locks[k].symbol, strlen(locks[k].symbol)) == 0)
                return locks[k].name;
    return NULL;
}
