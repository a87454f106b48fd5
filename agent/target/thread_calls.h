// Calls of libuv from threads that are not their loop's (--thread-checks): from suspicion to proof.
//
// The probes tell who ran the loop last and who called (probe/thread_checks.h). It is a fault only when the loop's
// thread was in its loop at that moment; a loop that is made by one thread and run by another, or run to its end by
// the thread that has waited for its own to stop, is well used. So each call waits here until the loop's thread is
// seen in the loop's own poll without having entered the loop anew: then it has been in it all the time.
#ifndef LOOPSCOPE_THREAD_CALLS_H
#define LOOPSCOPE_THREAD_CALLS_H

#include "model.h"

struct thread_calls;

void thread_calls_tick(struct model *m, struct proc *p); // attaches, drains, settles
int64_t thread_calls_next_ns(const struct model *m);     // of all processes; INT64_MAX
void thread_calls_free(struct thread_calls *c);          // detaches; NULL is fine
// What was proved of all processes, and for each in turn whether anybody looks.
void thread_calls_assemble(const struct model *m, struct snap *s);
void thread_calls_put(const struct model *m, const struct proc *p, struct snap_process *to,
                      struct snap *box);

#endif
