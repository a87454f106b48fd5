#include "thread_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <utlist.h>

#include "../probe/thread_checks.h"
#include "intern.h"
#include "procfs.h"
#include "threads.h"

#define MS_NS       1000000LL
#define SETTLE_NS   (20 * MS_NS)   // between two looks at what is not proved
#define WAITERS_NS  (500 * MS_NS)  // between two tellings of who waits on which epoll
#define AGAIN_NS    (2000 * MS_NS) // it could not be attached
#define PROOF_NS    (3000 * MS_NS) // what is not proved by then is dropped
#define PENDING_MAX 64
#define SITES_MAX   200

struct pending { // a call that is not proved
    struct pending *next;
    uint64_t id;
    struct thread_call call; // without its stack
    struct stack *stack;     // interned, a reference
    bool answered;           // about its stack
    int64_t turns;           // of the loop when it was heard of; SNAP_UNKNOWN not counted
};

struct call_site { // proved
    struct call_site *next;
    const char *function;
    struct stack *stack; // interned, a reference
    uint64_t loop;
    int tid, owner;
    char thread[NAME_MAX_LEN];
    int64_t calls, last_ns;
};

struct thread_calls {
    struct thread_checks *checks; // NULL: why_not
    struct model *model;
    int pid;
    uint64_t generation, next_id; // answers that come late find what they are for by these
    struct pending *pending;
    struct call_site *sites;
    int npending, nsites;
    int64_t again_ns, waiters_ns;
    char why_not[600];
};

struct asked { // a stack
    struct model *m;
    int pid;
    uint64_t generation, id;
};

static void pending_free(struct thread_calls *c, struct pending *p)
{
    LL_DELETE(c->pending, p);
    stack_unref(p->stack);
    free(p);
    c->npending--;
}

static void on_stack(void *arg, const struct stack_answer *answer)
{
    struct asked a = *(struct asked *)arg;
    struct proc *p = proc_find(a.m, a.pid);
    struct thread_calls *c = p ? p->thread_calls : NULL;
    struct pending *k = c && c->generation == a.generation ? c->pending : NULL;
    free(arg);
    while (k && k->id != a.id)
        k = k->next;
    if (!k)
        return;
    k->answered = true;
    if (answer->stack)
        k->stack = stack_ref(stack_intern(a.m, answer->stack));
}

static void ask_stack(struct thread_calls *c, struct proc *p, struct pending *k,
                      const struct thread_call *call)
{
    const struct stack_request r = {.pid = p->pid,
                                    .tid = call->tid,
                                    .runtime = p->identity.runtime,
                                    .native = c->model->native,
                                    .regs = call->regs,
                                    .stack_base = call->regs.sp,
                                    .stack = call->stack,
                                    .stack_len = call->stack_len};
    struct asked *a = malloc(sizeof(*a));
    if (!a)
        abort();
    *a = (struct asked){c->model, p->pid, c->generation, k->id};
    if (stacker_stack(c->model->stacker, &r, on_stack, a) < 0) {
        free(a);
        k->answered = true;
    }
}

static int64_t turns_of(const struct thread_calls *c, int tid)
{
    struct probe_stats s;
    const struct thread *t = model_thread(c->model, tid);
    if (!t || t->trust != TRUST_PROVED || probe_stats(c->model->probe, tid, &s) < 0)
        return SNAP_UNKNOWN;
    return s.turns;
}

static void on_call(void *arg, const struct thread_call *call)
{
    struct thread_calls *c = arg;
    struct proc *p = proc_find(c->model, c->pid);
    struct pending *k = p && c->npending < PENDING_MAX ? calloc(1, sizeof(*k)) : NULL;
    if (!k)
        return;
    k->id = ++c->next_id;
    k->call = *call;
    k->call.stack = NULL;
    k->turns = turns_of(c, call->owner);
    LL_PREPEND(c->pending, k);
    c->npending++;
    ask_stack(c, p, k, call);
}

// uv_write calls uv_write2: the outer one has been told of, too.
static bool is_inner(const struct stack *s)
{
    return s && s->nframes > 1 && s->frames[1].function &&
           strncmp(s->frames[1].function, "uv_", 3) == 0;
}

// It sleeps in the loop's poll, or has come by it since.
static bool is_in_its_loop(const struct thread_calls *c, const struct pending *k)
{
    uint64_t args[6];
    long nr;
    int64_t turns = turns_of(c, k->call.owner);
    const struct thread *t = model_thread(c->model, k->call.owner);
    if (t && t->kind == WAIT_EPOLL && t->wait_fd == k->call.backend_fd &&
        k->turns != SNAP_UNKNOWN && turns > k->turns)
        return true;
    return procfs_syscall(c->pid, k->call.owner, &nr, args) == 0 &&
           (nr == SYS_epoll_wait || nr == SYS_epoll_pwait || nr == SYS_epoll_pwait2) &&
           (int)args[0] == k->call.backend_fd;
}

static struct call_site *site_of(struct thread_calls *c, const struct pending *k)
{
    struct call_site *s;
    LL_FOREACH (c->sites, s) {
        if (s->loop == k->call.loop && s->function == k->call.function && s->stack == k->stack)
            return s;
    }
    if (c->nsites >= SITES_MAX || !(s = calloc(1, sizeof(*s))))
        return NULL;
    s->function = k->call.function;
    s->loop = k->call.loop;
    s->stack = stack_ref(k->stack);
    LL_APPEND(c->sites, s);
    c->nsites++;
    return s;
}

static void believe(struct thread_calls *c, const struct pending *k)
{
    struct call_site *s = site_of(c, k);
    if (!s)
        return;
    c->model->urgent |= s->calls == 0;
    s->calls += k->call.calls;
    s->last_ns = k->call.at_ns;
    s->tid = k->call.tid;
    s->owner = k->call.owner;
    procfs_comm(c->pid, s->tid, s->thread, sizeof(s->thread));
}

static void settle(struct thread_calls *c)
{
    struct pending *k, *next;
    LL_FOREACH_SAFE(c->pending, k, next)
    {
        bool same = thread_checks_same_run(c->checks, &k->call);
        bool inner = is_inner(k->stack);
        if (same && k->answered && !inner && is_in_its_loop(c, k))
            believe(c, k);
        else if (same && !inner && c->model->now_ns - k->call.at_ns < PROOF_NS)
            continue;
        pending_free(c, k);
    }
}

static void tell_waiters(struct thread_calls *c, const struct proc *p)
{
    const struct thread *t;
    c->waiters_ns = c->model->now_ns;
    DL_FOREACH (p->threads, t)
        if (t->trust == TRUST_PROVED && t->kind == WAIT_EPOLL && !t->ended_ns)
            thread_checks_waiter(c->checks, t->wait_fd, t->tid);
}

static void attach(struct thread_calls *c, const struct proc *p)
{
    static uint64_t generations;
    struct error err = {0};
    c->generation = ++generations;
    c->why_not[0] = '\0';
    if (thread_checks_open(&c->checks, p->pid, on_call, c, &err) < 0) {
        snprintf(c->why_not, sizeof(c->why_not), "calls from other threads are not seen: %s",
                 err.text);
        c->again_ns = c->model->now_ns + AGAIN_NS;
        return;
    }
    probe_also_poll(c->model->probe, thread_checks_fd(c->checks));
    tell_waiters(c, p);
}

static bool is_wanted(const struct model *m, const struct proc *p)
{
    return m->wishes.thread_checks_until_ns > m->now_ns && p->identified && !p->exited &&
           p->identity.has_uv;
}

void thread_calls_tick(struct model *m, struct proc *p)
{
    struct thread_calls *c = p->thread_calls;
    if (p->exited)
        return; // what was proved stays for its last picture
    if (!is_wanted(m, p)) {
        thread_calls_free(c);
        p->thread_calls = NULL;
        return;
    }
    if (!c && !(c = p->thread_calls = calloc(1, sizeof(*c))))
        return;
    c->model = m;
    c->pid = p->pid;
    if (!c->checks && m->now_ns >= c->again_ns)
        attach(c, p);
    if (!c->checks)
        return;
    if (m->now_ns - c->waiters_ns >= WAITERS_NS)
        tell_waiters(c, p);
    thread_checks_dispatch(c->checks);
    settle(c);
}

int64_t thread_calls_next_ns(const struct model *m)
{
    int64_t next = INT64_MAX;
    for (const struct proc *p = m->procs; p; p = p->hh.next) {
        const struct thread_calls *c = p->thread_calls;
        int64_t at = INT64_MAX;
        if (is_wanted(m, p))
            at = !c            ? m->now_ns
                 : !c->checks  ? c->again_ns
                 : c->npending ? m->now_ns + SETTLE_NS
                               : c->waiters_ns + WAITERS_NS;
        next = at < next ? at : next;
    }
    return next;
}

void thread_calls_free(struct thread_calls *c)
{
    struct call_site *s, *next;
    if (!c)
        return;
    thread_checks_close(c->checks);
    while (c->pending)
        pending_free(c, c->pending);
    LL_FOREACH_SAFE(c->sites, s, next)
    {
        stack_unref(s->stack);
        free(s);
    }
    free(c);
}

void thread_calls_put(const struct model *m, const struct proc *p, struct snap_process *to,
                      struct snap *box)
{
    const struct thread_calls *c = p->thread_calls;
    if (c && c->checks && to->misuse.calls == SNAP_UNKNOWN)
        to->misuse.calls = 0;
    if (c && c->why_not[0])
        to->misuse.why_not = snap_strdup(box, c->why_not);
    else if (!c && p->identity.has_uv && m->wishes.thread_checks_until_ns <= m->now_ns)
        to->misuse.why_not = "libuv's functions are probed only with --thread-checks";
}

void thread_calls_assemble(const struct model *m, struct snap *s)
{
    size_t n = 0;
    for (const struct proc *p = m->procs; p; p = p->hh.next)
        n += p->thread_calls ? (size_t)p->thread_calls->nsites : 0;
    s->misuses = snap_alloc(s, sizeof(*s->misuses) * (n + 1));
    for (const struct proc *p = m->procs; p; p = p->hh.next)
        for (const struct call_site *k = p->thread_calls ? p->thread_calls->sites : NULL; k;
             k = k->next)
            s->misuses[s->nmisuses++] =
                (struct snap_misuse){.pid = p->pid,
                                     .tid = k->tid,
                                     .loop_tid = k->owner,
                                     .function = k->function,
                                     .thread = snap_strdup(s, k->thread),
                                     .loop = snap_printf(s, "%#llx", (unsigned long long)k->loop),
                                     .calls = k->calls,
                                     .last_ns = k->last_ns - m->started_ns,
                                     .stack = snap_hold(s, k->stack)};
}
