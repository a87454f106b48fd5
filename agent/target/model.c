#include "model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "../probe/fds.h"
#include "intern.h"
#include "stalls.h"
#include "threads.h"

#define EVENTS_MAX 1000 // unread ones; a snapshot takes them all

int64_t mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void model_start(struct model *m, int64_t now_ns)
{
    *m = (struct model){.now_ns = now_ns, .started_ns = now_ns, .time_scale = 1};
}

void model_finish(struct model *m)
{
    struct proc *p, *next;
    HASH_ITER (hh, m->procs, p, next)
        proc_remove(m, p);
    fds_close(m->fds);
    m->fds = NULL;
    stall_free_all(m);
    stack_intern_free(m);
    struct model_event *e, *after;
    LL_FOREACH_SAFE(m->events, e, after)
    free(e);
    m->events = NULL;
}

void model_say(struct model *m, enum snap_event_kind kind, int pid, const char *fmt, ...)
{
    int waiting;
    struct model_event *e;
    LL_COUNT(m->events, e, waiting);
    if (waiting >= EVENTS_MAX || !(e = calloc(1, sizeof(*e))))
        return;
    e->kind = kind;
    e->at_ns = m->now_ns;
    e->pid = pid;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    LL_APPEND(m->events, e);
    m->urgent = true;
}
