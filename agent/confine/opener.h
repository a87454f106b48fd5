// A process of its own that opens perf events, where the agent may not.
//
// Debian's kernels at their default (kernel.perf_event_paranoid 3) ask for CAP_SYS_ADMIN, which is far more than
// an attached agent should hold. There an opener is forked before the agent sheds it; it holds that one capability,
// and a system call filter leaves it perf_event_open and the two calls that talk to the agent. An order says which
// of the few events, of which thread or CPU and at which address; what the event is was told at its birth. An agent that is
// taken over gains from it no more than another such event, which can only look.
//
// It ends with the agent. Once it does not answer, no order is given any more (-EPIPE).
//
// Threads: one at a time. Descriptors: all are close-on-exec.
#ifndef LOOPSCOPE_CONFINE_OPENER_H
#define LOOPSCOPE_CONFINE_OPENER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct opener;

struct opener_order { // all bytes of it come from the agent, which may have been taken over
    uint32_t kind;
    int32_t tid, cpu; // one of them; -1 not
    uint64_t address;
};

typedef int opener_fn(const struct opener_order *o); // runs in the opener: a descriptor, or -errno

int opener_open(struct opener **ret, opener_fn *open); // -errno
void opener_close(struct opener *o);                   // NULL is fine
pid_t opener_pid(const struct opener *o);
int opener_ask(struct opener *o, const struct opener_order *order); // a descriptor, or -errno

// Whether this kernel refuses perf events to this process without CAP_SYS_ADMIN and grants them with it.
bool opener_needed(void);

#endif
