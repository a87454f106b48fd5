// Probes on libuv that tell what a test has them tell.
#include "fakes_threads.h"

#include <errno.h>
#include <stdlib.h>

struct fake_checks fake_checks;

int thread_checks_open(struct thread_checks **ret, int pid, thread_call_cb cb, void *arg,
                       struct error *err)
{
    (void)pid;
    if (fake_checks.refused)
        return error_set(err, STATUS_NO_ATTACH, ENOENT, "its libuv has no names of functions");
    fake_checks.cb = cb;
    fake_checks.arg = arg;
    fake_checks.open = true;
    *ret = (struct thread_checks *)&fake_checks;
    return 0;
}

void thread_checks_close(struct thread_checks *t)
{
    if (t)
        fake_checks.open = false;
}

void thread_checks_waiter(struct thread_checks *t, int backend_fd, int tid)
{
    (void)t, (void)backend_fd, (void)tid;
}

bool thread_checks_same_run(struct thread_checks *t, const struct thread_call *c)
{
    (void)t, (void)c;
    return !fake_checks.run_again;
}

int thread_checks_fd(struct thread_checks *t)
{
    (void)t;
    return -1;
}

void thread_checks_dispatch(struct thread_checks *t)
{
    (void)t;
}
