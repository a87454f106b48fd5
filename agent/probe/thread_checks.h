// Calls of libuv's functions from threads that are not their loop's, of one process: by uprobes, which cost the
// program a trap with every such call (docs/cost.md), so only when somebody asks.
//
// All of libuv but uv_async_send belongs to the loop's thread. What is told here is a suspicion: the thread that ran
// the loop last is not the one that calls. Whether it was in its loop is for the caller to prove (target/), because
// a loop may be handed on from one thread to another.
//
// Threads: main thread only.
#ifndef LOOPSCOPE_PROBE_THREAD_CHECKS_H
#define LOOPSCOPE_PROBE_THREAD_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/records.h"
#include "../error.h"

struct thread_checks;

struct thread_call {
    int tid, owner;       // who calls, and who ran the loop last
    const char *function; // static
    uint64_t loop;        // address
    int backend_fd;       // the loop's epoll
    uint64_t runs;        // of the loop, at that time
    int64_t at_ns, calls; // calls: from this place since it was told of before, this one too
    struct ls_regs regs;
    const uint8_t *stack; // from regs.sp on; valid within the callback
    size_t stack_len;
};
typedef void (*thread_call_cb)(void *arg, const struct thread_call *c);

// -errno, *err filled; -ENOENT: no libuv in it whose functions have names.
int thread_checks_open(struct thread_checks **ret, int pid, thread_call_cb cb, void *arg,
                       struct error *err);
void thread_checks_close(struct thread_checks *t); // detaches; NULL is fine
// This thread waits on the epoll of its loop: it may have been running it before the probes were there.
void thread_checks_waiter(struct thread_checks *t, int backend_fd, int tid);
// Nobody has begun to run the loop since the call: who was in it then still is.
bool thread_checks_same_run(struct thread_checks *t, const struct thread_call *c);
int thread_checks_fd(struct thread_checks *t); // readable: dispatch
void thread_checks_dispatch(struct thread_checks *t);
int thread_checks_functions(const struct thread_checks *t); // how many are probed
int64_t thread_checks_lost(const struct thread_checks *t);  // calls that found no room

#endif
