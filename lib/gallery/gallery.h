// The gallery: small programs, each with one pitfall of asynchronous code, and the same work done right.
#ifndef GALLERY_H
#define GALLERY_H

#include <loopscope/loopscope.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct exhibit {
    const char *name, *text;
    ls_fn wrong, cured; // main tasks; run until the process is killed
    bool debug;         // in the runtime's debug mode
};

// One a file.
extern const struct exhibit loop_sync_io, loop_sync_log, loop_cpu;
extern const struct exhibit task_never_awaited, task_unbounded, task_error_unread;
extern const struct exhibit task_timeout_runs_on, task_cancel_leak, task_cancel_ignored;
extern const struct exhibit task_orphan, task_fail_rate, task_deadlock, task_lost_wake;
extern const struct exhibit task_stuck, task_self_wake, thread_unsafe, fd_orphan, fd_leak;
extern const struct exhibit pool_exhausted, child_zombie;

// A service outside the program's loop: a thread that answers a line with a line, one request a connection,
// after delay_ms. Its port on 127.0.0.1.
uint16_t service_start(int delay_ms);

// A spool file without a name, as a program opens one by the system's own calls.
int spool_open(void);
// Remembers a descriptor that nobody closes; those kept for a while are closed when it is over, so that the program
// can go on for ever.
void spool_forget(int fd);

void check(int64_t r, const char *what); // what cannot fail here did: ends the program

#endif
