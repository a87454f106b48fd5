// Common to the parts of the library that talk to libuv: bounds over several waits, work on the thread pool, and
// who releases a handle.
//
// Handles of the library are unreferenced: only live tasks keep uv_run going. A handle's memory is freed by its close
// callback, which may come after the loop's own end and must not touch it.
#ifndef LS_IO_H
#define LS_IO_H

#include "fast.h"

// A timeout over several waits: the time when it is over; < 0 never, 0 nothing may wait.
static inline int64_t span_begin(int64_t timeout_ns)
{
    int64_t until;
    if (timeout_ns <= 0)
        return timeout_ns;
    return __builtin_add_overflow(clock_ns(), timeout_ns, &until) ? LS_FOREVER : until;
}

static inline int64_t span_left(int64_t until)
{
    if (until <= 0)
        return until;
    int64_t left = until - clock_ns();
    return left > 0 ? left : 0;
}

// offload.c
struct work { // may lie on the waiting task's stack
    uv_work_t req;
    struct task *task;
    ls_fn fn;
    void *arg;
    int64_t result;
    int why; // the interrupt that came meanwhile; 0 none
};
// Runs fn(arg) on a pool thread. 0: it has run, see result (and why). Negative errno: it never ran.
int ls__work(struct work *w, struct task *t, const struct wait *wait);

// An object that owns a handle or descriptor: released by its task, else by the loop's end.
struct owned {
    struct own own;      // in the task
    struct closing part; // in the loop, when no task owns it
    struct ls_loop *loop;
    void (*release)(struct owned *o);
};
// By the calling task if there is one. release(o) must call ls__owned_forget.
void ls__owned_init(struct owned *o, struct ls_loop *l, void (*release)(struct owned *o));
int ls__owned_adopt(struct ls_site *site, struct owned *o, const char *call);
int ls__owned_disown(struct ls_site *site, struct owned *o, const char *call);
void ls__owned_forget(struct owned *o);

// stream.c. On error fd stays the caller's.
int ls__stream_new(ls_stream **ret, int fd);
// Another object closes it, not a task nor the loop; *place is cleared when somebody has closed or adopted it.
void ls__stream_leave(ls_stream *s, ls_stream **place);
// Waits until the connection is made, or has failed.
int ls__stream_connected(struct ls_site *site, ls_stream *s, int64_t timeout_ns);

// address.c
struct address {
    union {
        struct sockaddr_storage storage;
        struct sockaddr any;
    } u;
    socklen_t size;
};
int ls__unix_address(struct address *a, const char *path);

// child.c: starts a process; theirs[i] (above 2) becomes its descriptor i where how[i] is LS_STDIO_PIPE. 0 or negative
// errno, also those of exec.
int ls__child_start(const struct ls_process_options *o, const enum ls_stdio how[3],
                    const int theirs[3], pid_t *pid);

#endif
