#include "assemble.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "calls.h"
#include "fd_watch.h"
#include "live.h"
#include "pool.h"
#include "procfs.h"
#include "spin.h"
#include "stalls.h"
#include "tasks.h"
#include "thread_calls.h"
#include "threads.h"
#include "window.h"

#define SPIN_POLLS_A_SECOND 10000

static enum loop_state state_of(const struct thread *t, const struct loop_window *w)
{
    const struct probe_stats *now = &t->history->now;
    if (t->stall) {
        enum cause_kind kind = t->stall->facts.cause.kind;
        return kind == CAUSE_STOPPED    ? LOOP_STOPPED
               : kind == CAUSE_RUNQUEUE ? LOOP_STARVED
                                        : LOOP_BLOCKED;
    }
    if (w->polls_empty > 0 && w->window_ns > 0 &&
        (double)w->polls_empty * 1e9 / (double)w->window_ns >= SPIN_POLLS_A_SECOND)
        return LOOP_SPINNING;
    return now->in_wait ? LOOP_WAITING : LOOP_RUNNING;
}

static const char *starved_by(const struct thread *t, struct snap *s)
{
    char comm[NAME_MAX_LEN];
    int pid = t->history->now.starved_by_pid;
    if (pid == t->pid)
        return "other threads of its own process";
    if (pid <= 0 || procfs_comm(pid, pid, comm, sizeof(comm)) < 0)
        return NULL;
    return snap_printf(s, "%s (%d)", comm, pid);
}

static bool has_any(const uint32_t hist[PROBE_HIST])
{
    for (int i = 0; i < PROBE_HIST; i++)
        if (hist[i])
            return true;
    return false;
}

// Of a loop whose first turn has not ended there is nothing to tell but how long that lasts.
static void loop_lag(const struct thread *t, struct snap_loop *l)
{
    const struct probe_stats *now = &t->history->now;
    l->lag_max_ns = now->turn_max_ns;
    if (t->history->stalled_max_ns > l->lag_max_ns)
        l->lag_max_ns = t->history->stalled_max_ns;
    int64_t cap = l->lag_max_ns;
    int64_t *to[] = {&l->lag_p50_ns, &l->lag_p90_ns, &l->lag_p99_ns};
    static const double q[] = {0.50, 0.90, 0.99};
    bool any = has_any(now->turn_hist);
    for (int i = 0; i < 3; i++) {
        *to[i] = any ? hist_percentile(now->turn_hist, q[i]) : SNAP_UNKNOWN;
        if (*to[i] > cap)
            *to[i] = cap;
    }
    if (l->blocked_ns > l->lag_max_ns)
        l->lag_max_ns = l->blocked_ns;
    if (!any && l->lag_max_ns == 0)
        l->lag_max_ns = SNAP_UNKNOWN;
    hist_to_lag(now->turn_hist, l->lag_hist);
}

static void loop_from_history(const struct model *m, struct thread *t, struct snap *s,
                              struct snap_loop *l)
{
    struct loop_history *h = t->history;
    window_sum(h, &l->window);
    l->window.busy_stack = snap_hold(s, l->window.busy_stack);
    l->window.starved_by = l->window.runqueue_ns > 0 ? starved_by(t, s) : NULL;
    l->window.pool_busy_ns = pool_busy_ns(t);
    l->state = t->ended_ns ? LOOP_EXITED : state_of(t, &l->window);
    if (l->state == LOOP_SPINNING)
        l->window.hot_fd = spin_hot_fd(t);
    l->judged = true;
    l->judged_ns = (t->ended_ns ? t->ended_ns : m->now_ns) - t->trusted_ns;
    l->turns = h->now.turns;
    l->busy_ns = h->now.busy_ns;
    l->turns_estimated = h->now.estimated;
    int64_t spent = l->window.busy_ns + l->window.wait_ns;
    l->busy_ratio = spent > 0 ? (double)l->window.busy_ns / (double)spent : NAN;
    l->blocked_ns = t->stall ? t->stall->facts.duration_ns : 0;
    l->iteration = h->now.iteration;
    memcpy(l->spark_ns, h->spark, sizeof(l->spark_ns));
    loop_lag(t, l);
}

static void loop_from_stall(struct thread *t, struct snap *s, struct snap_loop *l)
{
    const struct snap_stall *f = &t->stall->facts;
    snap_copy_task_ref(s, &l->task, &f->task);
    for (int i = f->nsamples - 1; i >= 0 && !l->stack; i--)
        l->stack = snap_hold(s, f->samples[i].stack);
}

static void loop_of(const struct model *m, struct thread *t, struct snap *s, struct snap_loop *l)
{
    *l = (struct snap_loop){
        .pid = t->pid, .tid = t->tid, .name = snap_strdup(s, t->name), .iteration = SNAP_UNKNOWN};
    loop_from_history(m, t, s, l);
    if (t->stall)
        loop_from_stall(t, s, l);
    if (!l->task.id && !t->history->now.in_wait)
        live_running_task(t->proc, t->tid, s, &l->task);
}

// A runtime that is recognised and not judged still has its line, which says why.
static void loop_unjudged(const struct proc *p, struct snap *s, struct snap_loop *l)
{
    *l = (struct snap_loop){.pid = p->pid,
                            .tid = p->pid,
                            .name = snap_strdup(s, p->name),
                            .state = p->exited ? LOOP_EXITED : LOOP_NO_PROBES,
                            .why_not = snap_strdup(s, p->exited ? "it has ended" : p->why_not),
                            .turns = SNAP_UNKNOWN,
                            .busy_ns = SNAP_UNKNOWN,
                            .busy_ratio = NAN,
                            .lag_p50_ns = SNAP_UNKNOWN,
                            .lag_p90_ns = SNAP_UNKNOWN,
                            .lag_p99_ns = SNAP_UNKNOWN,
                            .lag_max_ns = SNAP_UNKNOWN,
                            .iteration = SNAP_UNKNOWN,
                            .window = {.polls_empty = SNAP_UNKNOWN,
                                       .hot_fd = SNAP_UNKNOWN,
                                       .pool_busy_ns = SNAP_UNKNOWN}};
    for (int i = 0; i < LOOP_SPARK; i++)
        l->spark_ns[i] = SNAP_UNKNOWN;
}

static int count_loops(const struct proc *p)
{
    const struct thread *t;
    int n = 0;
    DL_FOREACH (p->threads, t)
        n += t->history && t->trust != TRUST_NO && !t->helper;
    return n;
}

static void put_loops(const struct model *m, struct proc *p, struct snap *s,
                      struct snap_process *to)
{
    struct thread *t;
    to->loops = snap_alloc(s, sizeof(int) * (size_t)(count_loops(p) + 1));
    DL_FOREACH (p->threads, t) {
        if (!t->history || t->trust == TRUST_NO || t->helper)
            continue;
        to->loops[to->nloops++] = t->tid;
        loop_of(m, t, s, &s->loops[s->nloops++]);
    }
    if (p->why_not[0])
        loop_unjudged(p, s, &s->loops[s->nloops++]);
}

// Why it is not judged, or what of it cannot be read.
static const char *what_is_missing(const struct proc *p, struct snap *s)
{
    const char *text = p->why_not[0] ? p->why_not : p->identity.note;
    return text[0] ? snap_strdup(s, text) : NULL;
}

static void put_process(const struct model *m, struct proc *p, struct snap *s)
{
    struct snap_process *to = &s->processes[s->nprocesses++];
    bool zombies = p->zombies > 0 && p->zombie_since_ns != SNAP_UNKNOWN;
    *to = (struct snap_process){
        .pid = p->pid,
        .ppid = p->ppid,
        .name = snap_strdup(s, p->name),
        .exe = snap_strdup(s, p->exe),
        .cmdline = snap_strdup(s, p->cmdline),
        .runtime = p->identity.runtime,
        .runtime_version = p->identity.version[0] ? snap_strdup(s, p->identity.version) : NULL,
        .judged = !p->why_not[0],
        .why_not = what_is_missing(p, s),
        .exited = p->exited,
        .started_unix_ns = p->started_unix_ns,
        .fd_count = p->fd_count,
        .fd_limit = p->fd_limit,
        .fd_limit_hard = p->fd_limit_hard,
        .lost = p->lost,
        .ntasks = SNAP_UNKNOWN,
        .norphans = SNAP_UNKNOWN,
        .zombies = p->zombies,
        .zombie_oldest_ns = zombies ? m->now_ns - p->zombie_since_ns : SNAP_UNKNOWN,
        .zombie_command = zombies ? snap_strdup(s, p->zombie_command) : NULL,
        .rss_bytes = p->rss_bytes,
        .misuse = {.calls = SNAP_UNKNOWN},
    };
    put_loops(m, p, s, to);
    live_put_totals(p, s, to);
    thread_calls_put(m, p, to, s);
    // A wait that is a loop's, in a program of no make that we know.
    if (to->runtime == RUNTIME_UNKNOWN && to->nloops > 0)
        to->runtime = RUNTIME_EPOLL;
}

static bool is_shown(const struct model *m, const struct proc *p)
{
    if (p->exited && !p->root && m->keep_ended_ns == 0)
        return false;
    return !m->only_loops || p->root || p->why_not[0] || count_loops(p) > 0;
}

static void put_processes(struct model *m, struct snap *s)
{
    size_t loops = 0;
    for (struct proc *p = m->procs; p; p = p->hh.next)
        loops += (size_t)count_loops(p) + 1;
    s->processes = snap_alloc(s, sizeof(*s->processes) * (HASH_COUNT(m->procs) + 1));
    s->loops = snap_alloc(s, sizeof(*s->loops) * (loops + 1));
    for (struct proc *p = m->procs; p; p = p->hh.next)
        if (is_shown(m, p))
            put_process(m, p, s);
}

static void copy_stall(struct snap *s, struct snap_stall *to, const struct snap_stall *from)
{
    *to = *from;
    snap_copy_cause(s, &to->cause, &from->cause);
    snap_copy_task_ref(s, &to->task, &from->task);
    to->samples = snap_alloc(s, sizeof(*to->samples) * (size_t)(from->nsamples + 1));
    for (int i = 0; i < from->nsamples; i++) {
        to->samples[i] = from->samples[i];
        to->samples[i].stack = snap_hold(s, from->samples[i].stack);
        to->samples[i].why_not = snap_strdup(s, from->samples[i].why_not);
        snap_copy_cause(s, &to->samples[i].cause, &from->samples[i].cause);
    }
}

static void put_stalls(struct model *m, struct snap *s)
{
    struct stall *k;
    int n;
    DL_COUNT(m->stalls, k, n);
    s->stalls = snap_alloc(s, sizeof(*s->stalls) * (size_t)(n + 1));
    DL_FOREACH (m->stalls, k) {
        if (!stall_is_ready(k) || k->shown_ended)
            continue;
        copy_stall(s, &s->stalls[s->nstalls++], &k->facts);
        k->shown_ended = !k->facts.open;
    }
}

static int count_calls(const struct model *m)
{
    int n = 0;
    for (const struct thread *t = m->threads; t; t = t->hh.next)
        for (const struct call_sum *c = t->calls; c; c = c->next)
            n++;
    return n;
}

static void put_calls(struct model *m, struct snap *s)
{
    s->calls = snap_alloc(s, sizeof(*s->calls) * (size_t)(count_calls(m) + 1));
    for (struct thread *t = m->threads; t; t = t->hh.next) {
        int64_t age = m->now_ns - t->trusted_ns;
        for (struct call_sum *c = t->calls; c && t->history; c = c->next) {
            struct snap_calls *to = &s->calls[s->ncalls];
            if (!calls_are_known(c, m->now_ns) || !calls_window(c, to))
                continue;
            to->pid = t->pid;
            to->tid = t->tid;
            to->window_ns = age < CALL_SLOTS * 1000000000LL ? age : CALL_SLOTS * 1000000000LL;
            snap_copy_cause(s, &to->cause, &c->cause);
            to->stack = snap_hold(s, c->stack);
            s->ncalls++;
        }
    }
}

static void put_events(struct model *m, struct snap *s)
{
    struct model_event *e, *next;
    int n;
    LL_COUNT(m->events, e, n);
    s->events = snap_alloc(s, sizeof(*s->events) * (size_t)(n + 1));
    LL_FOREACH_SAFE(m->events, e, next)
    {
        s->events[s->nevents++] = (struct snap_event){.kind = e->kind,
                                                      .at_ns = e->at_ns - m->started_ns,
                                                      .pid = e->pid,
                                                      .text = snap_strdup(s, e->text)};
        free(e);
    }
    m->events = NULL;
}

// What was asked for by pid stays in the picture: the last snapshot is about it.
static void forget_ended(struct model *m)
{
    struct proc *p, *next;
    HASH_ITER (hh, m->procs, p, next)
        if (p->exited && !p->root && m->now_ns - p->exited_ns >= m->keep_ended_ns)
            proc_remove(m, p);
}

void assemble(struct model *m, struct snap *s)
{
    for (struct thread *t = m->threads; t; t = t->hh.next) {
        struct probe_stats now;
        if (!t->history || probe_stats(m->probe, t->tid, &now) < 0)
            continue;
        window_read(t->history, &now);
        if (t->stall)
            stall_refresh(t->stall, &now);
    }
    s->now_ns = m->now_ns - m->started_ns;
    s->time_scale = m->time_scale;
    s->threshold_ns = m->threshold_ns;
    s->tasks_total = SNAP_UNKNOWN;
    for (int i = 0; i < 8; i++)
        s->tasks_by_state[i] = SNAP_UNKNOWN;
    put_processes(m, s);
    tasks_assemble(m, s);
    fds_assemble(m, s);
    thread_calls_assemble(m, s);
    put_stalls(m, s);
    put_calls(m, s);
    put_events(m, s);
    stall_shown(m);
    forget_ended(m);
}
