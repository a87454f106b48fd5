// Which wait of a thread is its loop's own.
#ifndef LOOPSCOPE_TRUST_H
#define LOOPSCOPE_TRUST_H

#include "model.h"

void trust_waits_seen(struct model *m, struct thread *t, const struct probe_wait *waits, int n);
void trust_identified(struct model *m, struct proc *p); // its identity is known now
void trust_tick(struct model *m, struct thread *t);     // about 10 times a second while not proved
// A stall of a guessed trust turned out to be the loop's own wait. True: it was not a stall.
bool trust_corrected(struct model *m, struct thread *t, const struct probe_wait *seen,
                     const struct stack_answer *answer);
struct probe_wait wait_of_sample(const struct probe_sample *s); // kind WAIT_NONE: not in a wait

// The thread's runtime says itself which epoll is its loop's, and counts its turns at that address.
void trust_own_loop(struct model *m, struct thread *t, int epoll_fd, uint64_t turn_counter);

#endif
