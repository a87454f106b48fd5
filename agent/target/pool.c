// A worker of the pool is known by the function its thread was started with, the pool's own: for that its stack
// is read once, when it sleeps (idle on the pool's condition variable, or in its job's system call). One that
// computes at every look stays unknown. At work is a worker that does anything but wait on a futex.
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <utlist.h>

#include "procfs.h"
#include "threads.h"

#define LOOKS_MAX     3  // at one thread
#define LOOKS_AT_ONCE 32 // of a process

struct asked {
    struct model *m;
    int tid;
};

// The outermost frame that is not libc's: what the thread was started with.
static const struct frame *thread_root(const struct stack *s)
{
    for (int i = s->nframes - 1; i >= 0; i--)
        if (s->frames[i].module && !strstr(s->frames[i].module, "libc.") &&
            !strstr(s->frames[i].module, "libpthread"))
            return &s->frames[i];
    return NULL;
}

static bool is_worker(const struct stack *s)
{
    const struct frame *root = s->to_main && !s->torn ? thread_root(s) : NULL;
    if (!root)
        return false;
    if (root->function)
        return strcmp(root->function, "worker") == 0 || strcmp(root->function, "uv__worker") == 0;
    return strstr(root->module, "libuv") || strstr(root->module, "uvloop");
}

static void answered(void *arg, const struct stack_answer *a)
{
    struct asked asked = *(struct asked *)arg;
    free(arg);
    struct thread *t = model_thread(asked.m, asked.tid);
    if (t && a->stack && is_worker(a->stack))
        t->pool = true;
}

static bool is_at_work(const struct thread *t)
{
    long nr = -1;
    uint64_t args[6];
    int r = procfs_syscall(t->pid, t->tid, &nr, args);
    return r == -EAGAIN || (r == 0 && nr != SYS_futex);
}

static void look(struct model *m, struct thread *t)
{
    struct probe_sample s = {0};
    struct asked *a;
    if (probe_peek(m->probe, t->tid, &s) < 0 || !s.has_regs || !(a = malloc(sizeof(*a))))
        return;
    t->pool_looks++;
    *a = (struct asked){m, t->tid};
    struct stack_request r = {.pid = t->pid,
                              .tid = t->tid,
                              .runtime = t->proc->identity.runtime,
                              .native = true,
                              .regs = s.regs,
                              .stack_base = s.stack_base,
                              .stack = s.stack,
                              .stack_len = s.stack_len,
                              .stack_whole = s.stack_whole};
    if (stacker_stack(m->stacker, &r, answered, a) < 0)
        free(a);
}

void pool_look(struct model *m, struct proc *p)
{
    struct thread *t;
    int looks = 0;
    if (!p->identity.has_uv || !proc_is_judged(p))
        return;
    DL_FOREACH (p->threads, t) {
        if (t->history || t->pool || t->pool_looks >= LOOKS_MAX || looks >= LOOKS_AT_ONCE)
            continue;
        looks++;
        look(m, t);
    }
}

bool pool_sample(struct model *m, struct proc *p)
{
    struct thread *t, *loop = model_thread(m, p->pid);
    struct probe_stats s;
    int workers = 0, busy = 0;
    if (!loop || !loop->history || probe_stats(m->probe, loop->tid, &s) < 0)
        return false;
    DL_FOREACH (p->threads, t) {
        if (!t->pool)
            continue;
        workers++;
        if (!is_at_work(t))
            break;
        busy++;
    }
    loop->history->pool_known |= workers > 0;
    bool all = workers > 0 && busy == workers && s.in_wait;
    // Busy at both ends of a short span: busy in between.
    if (all && p->pool_all_ns)
        loop->history->pool_busy_ns[0] += m->now_ns - p->pool_all_ns;
    p->pool_all_ns = all ? m->now_ns : 0;
    return all;
}

int64_t pool_busy_ns(const struct thread *t)
{
    int64_t sum = 0;
    if (!t->history->pool_known)
        return SNAP_UNKNOWN;
    for (int i = 0; i < CALL_SLOTS; i++)
        sum += t->history->pool_busy_ns[i];
    return sum;
}
