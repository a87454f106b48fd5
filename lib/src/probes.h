// USDT probes: a 1-byte nop each (a 5-byte one corrupts the red zone on some kernels), reached only while
// somebody is attached (the kernel counts users in the semaphores).
//
//   bpftrace -l 'usdt:./program:loopscope:*'
#ifndef LS_PROBES_H
#define LS_PROBES_H

#if __has_include(<sys/sdt.h>) && !defined(LS_NO_USDT)
#define LS_HAVE_USDT        1
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#define LS_PROBES(X)                                                                               \
    X(task_created)   /* id, parent id, spawn file, line, label */                                 \
    X(task_started)   /* id */                                                                     \
    X(task_suspended) /* id, wait kind, wait object, file, line */                                 \
    X(task_resumed)   /* id */                                                                     \
    X(task_ended)     /* id, result, spawn file, line, label */                                    \
    X(task_cancelled) /* id: asked to cancel */                                                    \
    X(task_awaited)   /* id, by id, file, line */                                                  \
    X(task_orphaned)  /* id */

#define LS_SEMAPHORE(name)                                                                         \
    extern unsigned short loopscope_##name##_semaphore __attribute__((visibility("hidden")));
LS_PROBES(LS_SEMAPHORE)

#define LS_PROBE_USED(name)                                                                        \
    __builtin_expect(*(volatile unsigned short *)&loopscope_##name##_semaphore, 0)
#endif

#endif
