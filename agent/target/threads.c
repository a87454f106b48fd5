#include "threads.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "calls.h"
#include "fd_book.h"
#include "live.h"
#include "procfs.h"
#include "procs.h"
#include "stalls.h"
#include "tasks.h"
#include "thread_calls.h"
#include "trust.h"
#include "window.h"

struct proc *proc_find(struct model *m, int pid)
{
    struct proc *p;
    HASH_FIND_INT(m->procs, &pid, p);
    return p;
}

struct thread *model_thread(struct model *m, int tid)
{
    struct thread *t;
    HASH_FIND_INT(m->threads, &tid, t);
    return t;
}

bool proc_is_judged(const struct proc *p)
{
    return !p->exited && !p->why_not[0];
}

struct thread *model_add_thread(struct model *m, struct proc *p, int tid)
{
    struct thread *t = model_thread(m, tid);
    if (t && t->proc == p)
        return t;
    if (t) // the tid was reused and its end was missed
        model_remove_thread(m, t);
    t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->pid = p->pid;
    t->tid = tid;
    t->proc = p;
    t->seen_ns = m->now_ns;
    t->wait_fd = t->own_epoll = -1;
    procfs_comm(p->pid, tid, t->name, sizeof(t->name));
    HASH_ADD_INT(m->threads, tid, t);
    DL_APPEND(p->threads, t);
    p->nthreads++;
    return t;
}

void model_remove_thread(struct model *m, struct thread *t)
{
    if (t->stall)
        stall_cut(m, t, true);
    HASH_DEL(m->threads, t);
    DL_DELETE(t->proc->threads, t);
    t->proc->nthreads--;
    window_free(t->history);
    calls_free(t->calls);
    free(t);
}

#define ASK_AGAIN_NS 100000000LL // then 4 and 16 times as long, ...
#define ASKS_MAX     5
#define ASKS_ANYWAY  3 // the later ones, for libraries, only where more is mapped than before

static void remove_threads(struct model *m, struct proc *p)
{
    struct thread *t, *next;
    DL_FOREACH_SAFE(p->threads, t, next)
    model_remove_thread(m, t);
}

static void identity_answer(void *arg, const struct identity *id);

// What an answer needs to find its process again: by then it may be gone, or another one.
struct asked {
    struct model *m;
    int pid;
    uint64_t start_ticks;
};

// A young process has not loaded its libraries nor made its loop yet: what it is may become clear later.
static bool may_become_clearer(const struct proc *p)
{
    const struct identity *id = &p->identity;
    if (id->runtime == RUNTIME_ASYNCIO || (id->has_uv && id->uv_backend_fd < 0))
        return true;
    bool has_grown = p->mapped_bytes == SNAP_UNKNOWN || p->mapped_bytes != p->asked_mapped_bytes;
    return (id->runtime == RUNTIME_UNKNOWN || id->runtime == RUNTIME_EPOLL) &&
           (p->asked < ASKS_ANYWAY || has_grown);
}

static void ask_identity(struct model *m, struct proc *p)
{
    struct asked *a = malloc(sizeof(*a));
    if (!a)
        return;
    *a = (struct asked){m, p->pid, p->start_ticks};
    p->asked++;
    p->asked_mapped_bytes = p->mapped_bytes;
    p->ask_again_ns = m->now_ns + (ASK_AGAIN_NS << 2 * p->asked);
    if (stacker_identify(m->stacker, p->pid, identity_answer, a) < 0) {
        free(a);
        p->identified = true;
        p->identity = (struct identity){.uv_backend_fd = -1};
    }
}

static void identity_answer(void *arg, const struct identity *id)
{
    struct asked a = *(struct asked *)arg;
    free(arg);
    struct proc *p = proc_find(a.m, a.pid);
    if (!p || p->start_ticks != a.start_ticks)
        return;
    p->identified = true;
    p->identity = id ? *id : (struct identity){.uv_backend_fd = -1};
    proc_judge_runtime(p);
    trust_identified(a.m, p);
}

void proc_ask_again(struct model *m, struct proc *p)
{
    if (p->identified && !p->exited && p->asked <= ASKS_MAX && m->now_ns >= p->ask_again_ns &&
        may_become_clearer(p))
        ask_identity(m, p);
}

int proc_add(struct model *m, int pid, struct error *err)
{
    struct proc *old = proc_find(m, pid);
    if (old && !old->exited)
        return 0;
    if (old)
        proc_remove(m, old);
    struct proc *p;
    int r = proc_new(m, pid, &p, err);
    if (r < 0)
        return r;
    HASH_ADD_INT(m->procs, pid, p);
    r = stacker_add_process(m->stacker, pid, err);
    if (r == 0)
        r = probe_add_process(m->probe, pid, err);
    if (r < 0) {
        proc_remove(m, p);
        return r;
    }
    ask_identity(m, p);
    return 0;
}

void proc_remove(struct model *m, struct proc *p)
{
    probe_remove_process(m->probe, p->pid);
    stacker_remove_process(m->stacker, p->pid);
    remove_threads(m, p);
    HASH_DEL(m->procs, p);
    tasks_free(p->tasks);
    live_free(p->live);
    fd_book_free(p->fds);
    thread_calls_free(p->thread_calls);
    proc_free(p);
}

// A process stays in one more picture: its main loop with its last figures.
static void thread_ended(struct model *m, struct thread *t)
{
    if (!t->history || t->tid != t->pid) {
        model_remove_thread(m, t);
        return;
    }
    stall_cut(m, t, true);
    t->ended_ns = t->ended_ns ? t->ended_ns : m->now_ns;
}

static void end_threads(struct model *m, struct proc *p)
{
    struct thread *t, *next;
    DL_FOREACH_SAFE(p->threads, t, next)
    thread_ended(m, t);
}

static void process_exited(struct model *m, struct proc *p)
{
    if (p->exited)
        return;
    end_threads(m, p);
    p->exited_ns = m->now_ns;
    p->exited = true; // probe and stacker are told by proc_remove: not from within a callback
    if (p->attached_said || p->root)
        model_say(m, EVENT_DETACHED, p->pid, "process %d (%s) has ended", p->pid, p->name);
}

// Another program in the same process: every thread, wait and name is learnt anew.
static void process_execed(struct model *m, struct proc *p)
{
    struct error err;
    remove_threads(m, p);
    proc_read_names(p);
    p->identified = p->forked = false;
    p->why_not[0] = '\0';
    p->attached_said = false;
    p->asked = 0;
    tasks_free(p->tasks);
    p->tasks = NULL;
    live_free(p->live);
    p->live = NULL;
    p->live_find_ns = p->live_pause_ns = 0;
    fd_book_execed(p->fds);
    thread_calls_free(p->thread_calls);
    p->thread_calls = NULL;
    stacker_add_process(m->stacker, p->pid, &err);
    ask_identity(m, p);
    model_add_thread(m, p, p->pid);
    if (m->execed)
        m->execed(m->born_arg, p->pid);
}

void thread_event(struct model *m, const struct probe_thread_event *e)
{
    if (e->what == PROBE_PROCESS_FORK) {
        if (m->born)
            m->born(m->born_arg, e->parent_pid, e->pid);
        return;
    }
    struct proc *p = proc_find(m, e->pid);
    if (!p || p->exited)
        return;
    struct thread *t = model_thread(m, e->tid);
    switch (e->what) {
    case PROBE_THREAD_NEW:
        t = model_add_thread(m, p, e->tid);
        if (t && !p->identified)
            t->at_attach = true;
        break;
    case PROBE_THREAD_EXIT:
        if (t)
            thread_ended(m, t);
        break;
    case PROBE_PROCESS_EXIT: process_exited(m, p); break;
    case PROBE_PROCESS_EXEC: process_execed(m, p); break;
    case PROBE_PROCESS_FORK: break;
    }
}
