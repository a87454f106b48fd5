// Which wait of a thread is its loop's own.
//
// A turn ends when the loop waits again; but not every wait is the loop's: execSync polls a loop of its own
// inside a callback, getaddrinfo sits in poll(). So nothing is believed without a proof:
//   1. the epoll descriptor is the one that the loop's own data name (identity.uv_backend_fd);
//   2. the stack of the waiting thread holds exactly one loop-run frame (uv_run, aeMain, run_forever) and the
//      wait is not under a language call (execSync);
//   3. the thread came back to the wait with work between, and no stack says otherwise. A poll or select has
//      no descriptor that tells it from a worker's or a resolver's: of those, only the main thread's is
//      believed so, or one seen often; never one under language frames without a loop;
//   4. it has sat in an epoll for a second, its whole stack is known, and no other loop is on it.
// A wait under a second loop-run frame or under a language call is a block. Seen at attach it means that we
// came in the middle of one: the wait that will end it is then guessed, the turn counts from the attach, and
// the guess is corrected by whatever is proved first. Not so in a process forked from within a loop's callback:
// the loop-run frame on its stack is its parent's, and it may never wait there itself.
//
// A trust is taken back when another wait is proved by the stack (asyncio.run twice makes two epolls), or
// when the thread sleeps in another one for seconds and never in its own.
#include "trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <utlist.h>

#include "calls.h"
#include "likely_epoll.h"
#include "procfs.h"
#include "stalls.h"
#include "threads.h"
#include "window.h"

#define ASK_EVERY_NS   100000000LL
#define ASK_SLOWEST_NS 5000000000LL
#define WEAK_NS        1000000000LL
#define DOUBT_NS       3000000000LL
#define BUSY_NS        2000000000LL
#define DOUBT_SLEEPS   50
#define POLLS_TO_TRUST 8            // of a thread that is not the main one
#define LOOKS_TO_GUESS 3            // of a main thread that is never asleep
#define ASK_AT_ATTACH  64           // threads of a process looked at when it is added
#define LEARNT_NS      3000000000LL // after which a process's loops are known

struct probe_wait wait_of_sample(const struct probe_sample *s)
{
    struct probe_wait w = {.fd = -1};
    if (s->on_cpu || s->state == 'R')
        return w;
    w.kind = wait_kind_of(s->syscall, s->args[2]);
    if (wait_has_fd(w.kind))
        w.fd = (int)s->args[0];
    w.user_sp = s->has_regs ? s->regs.sp : 0;
    w.user_pc = s->has_regs ? s->regs.ip : 0;
    return w;
}

static bool same_wait(const struct thread *t, const struct probe_wait *w)
{
    return t->kind == w->kind && t->wait_fd == w->fd;
}

static bool is_backend(const struct proc *p, const struct probe_wait *w)
{
    return w->kind == WAIT_EPOLL && p->identified && p->identity.uv_backend_fd >= 0 &&
           w->fd == p->identity.uv_backend_fd;
}

static bool is_own(const struct thread *t, const struct probe_wait *w)
{
    return is_backend(t->proc, w) ||
           (w->kind == WAIT_EPOLL && t->own_epoll >= 0 && w->fd == t->own_epoll);
}

static void say_attached(struct model *m, struct proc *p)
{
    if (p->attached_said)
        return;
    p->attached_said = true;
    model_say(m, EVENT_ATTACHED, p->pid, "watching %s (%s)%s%s", p->name,
              runtime_name(p->identity.runtime), p->identity.note[0] ? "; " : "", p->identity.note);
}

static void trust(struct model *m, struct thread *t, const struct probe_wait *w, enum trust how)
{
    if (t->trust == how && same_wait(t, w))
        return;
    bool same = t->trust != TRUST_NO && same_wait(t, w);
    if (!t->history && !(t->history = window_new()))
        return;
    if (!same) {
        if (t->stall)
            stall_cut(m, t, false); // it lasted until this wait, as far as anybody knows
        if (probe_trust(m->probe, t->tid, w->kind, w->fd, w->user_pc) < 0)
            return;
        t->trusted_ns = m->now_ns;
    }
    t->kind = w->kind;
    t->wait_fd = w->fd;
    t->wait_pc = w->user_pc;
    t->trust = how;
    t->doubt_since_ns = 0;
    t->weak.kind = WAIT_NONE;
    if (is_backend(t->proc, w) && t->proc->identity.uv_loop_count)
        probe_loop_counter(m->probe, t->tid, t->proc->identity.uv_loop_count);
    say_attached(m, t->proc);
}

// A node process runs a loop of its own for delayed tasks of V8: nobody's callbacks run there.
static bool is_helper_stack(const struct stack *s)
{
    for (int i = 0; i < s->nframes; i++)
        if (s->frames[i].function && strstr(s->frames[i].function, "DelayedTaskScheduler"))
            return true;
    return false;
}

static bool has_loop(const struct proc *p)
{
    const struct thread *t;
    DL_FOREACH (p->threads, t)
        if (t->trust != TRUST_NO)
            return true;
    return false;
}

// The process it was forked from and shares its program with; NULL: its stack is its own making.
static const struct proc *forked_from(struct model *m, const struct proc *p)
{
    const struct proc *parent = p->forked ? proc_find(m, p->ppid) : NULL;
    bool same = parent && !parent->exited && parent->exe && p->exe;
    return same && strcmp(parent->exe, p->exe) == 0 ? parent : NULL;
}

static bool is_young(const struct model *m, const struct proc *p)
{
    return m->now_ns - p->added_ns < LEARNT_NS;
}

// The thread was found inside a turn: count from now, until a wait that is likely its own.
static void guess(struct model *m, struct thread *t, int not_fd)
{
    struct probe_wait w = {.kind = WAIT_EPOLL};
    const struct proc *parent = forked_from(m, t->proc);
    if (parent && has_loop(parent))
        return;
    if (parent && is_young(m, parent)) {
        t->stack_seen = false; // it is looked at again, as for the first time
        t->asks = 0;
        return;
    }
    w.fd = likely_epoll(t, not_fd);
    if (w.fd >= 0 || t->tid == t->pid)
        trust(m, t, &w, TRUST_GUESSED);
}

// It runs and runs, so its stack cannot be read and no wait is seen: only when there is no doubt which wait
// is its own. In a program of unknown make that takes some looks, and an epoll that is nobody else's.
static void guess_if_certain(struct model *m, struct thread *t)
{
    const struct identity *id = &t->proc->identity;
    if (t->tid != t->pid || t->nwaits > 0 || forked_from(m, t->proc))
        return;
    struct epolls e = epolls_of(t, -1);
    bool known = id->runtime != RUNTIME_UNKNOWN && id->runtime != RUNTIME_EPOLL;
    if (known && t->at_attach && (id->uv_backend_fd >= 0 || e.count == 1)) {
        guess(m, t, -1);
    } else if (t->asks >= LOOKS_TO_GUESS && e.count == 1) {
        struct probe_wait w = {.kind = WAIT_EPOLL, .fd = e.lowest};
        trust(m, t, &w, TRUST_GUESSED);
    }
}

struct ask {
    struct model *m;
    int tid;
    struct probe_wait wait; // kind WAIT_NONE: it slept elsewhere
    bool first;
};

// The frames between the wait and its loop are the loop library's and libc's: nobody's callback.
static bool waits_in_loop(const struct stack_answer *a)
{
    if (a->loop_run_frames != 1 || a->in_language)
        return false;
    for (int i = 0; i < a->loop_run_index && i < a->stack->nframes; i++)
        if (!a->stack->frames[i].runtime && a->stack->frames[i].function)
            return false;
    return true;
}

static void judge_answer(struct model *m, struct thread *t, const struct ask *ask,
                         const struct stack_answer *a)
{
    const struct probe_wait *w = &ask->wait;
    if (is_helper_stack(a->stack)) {
        t->helper = true;
        probe_trust(m->probe, t->tid, WAIT_NONE, -1, 0);
        return;
    }
    if (w->kind == WAIT_NONE) {
        if (a->loop_run_frames >= 1 && t->trust == TRUST_NO &&
            ((ask->first && t->at_attach) || t->tid != t->pid))
            guess(m, t, -1);
        else if (t->trust == TRUST_NO && a->loop_run_frames == 0)
            guess_if_certain(m, t);
        return;
    }
    if (waits_in_loop(a)) {
        trust(m, t, w, TRUST_PROVED);
    } else if (t->trust == TRUST_PROVED) {
        return;
    } else if (a->loop_run_frames >= 1) {
        if (ask->first && t->at_attach && t->trust == TRUST_NO)
            guess(m, t, w->fd);
    } else if (a->in_language) {
        t->language_only = true;
    } else if (wait_has_fd(w->kind) && a->stack->to_main && !a->stack->torn) {
        t->weak = *w;
        t->weak_since_ns = m->now_ns;
    }
}

static void ask_answered(void *arg, const struct stack_answer *a)
{
    struct ask ask = *(struct ask *)arg;
    free(arg);
    struct thread *t = model_thread(ask.m, ask.tid);
    if (!t)
        return;
    t->asking = false;
    if (a->stack && proc_is_judged(t->proc))
        judge_answer(ask.m, t, &ask, a);
}

// Reads the thread's stack once, to see what it is in the middle of.
static void ask_stack(struct model *m, struct thread *t)
{
    struct probe_sample s = {0};
    if (t->asking || m->now_ns < t->ask_after_ns)
        return;
    int64_t pause = ASK_EVERY_NS << (t->asks < 6 ? t->asks : 6);
    t->ask_after_ns = m->now_ns + (pause < ASK_SLOWEST_NS ? pause : ASK_SLOWEST_NS);
    t->asks++;
    if (probe_peek(m->probe, t->tid, &s) < 0 || !s.has_regs) {
        if (t->trust == TRUST_NO)
            guess_if_certain(m, t);
        return;
    }
    struct ask *ask = malloc(sizeof(*ask));
    if (!ask)
        return;
    *ask = (struct ask){m, t->tid, wait_of_sample(&s), !t->stack_seen};
    t->stack_seen = true;
    struct stack_request r = {.pid = t->pid,
                              .tid = t->tid,
                              .runtime = t->proc->identity.runtime,
                              .on_cpu = s.on_cpu,
                              .regs = s.regs,
                              .stack_base = s.stack_base,
                              .stack = s.stack,
                              .stack_len = s.stack_len,
                              .stack_whole = s.stack_whole};
    t->asking = true;
    if (stacker_stack(m->stacker, &r, ask_answered, ask) < 0) {
        t->asking = false;
        free(ask);
    }
}

// Without a proof: an epoll before a bare poll, then the one further out on the stack. (Depth alone says
// little: uv__io_poll keeps 12 KB of events on it.)
static bool likelier(const struct probe_wait *a, const struct probe_wait *b)
{
    if (wait_has_fd(a->kind) != wait_has_fd(b->kind))
        return wait_has_fd(a->kind);
    return a->user_sp > b->user_sp;
}

static const struct probe_wait *likeliest(const struct thread *t)
{
    const struct probe_wait *best = NULL;
    for (int i = 0; i < t->nwaits; i++)
        if (!best || likelier(&t->waits[i], best))
            best = &t->waits[i];
    return best;
}

static bool proved_by_return(const struct thread *t, const struct probe_wait *w)
{
    if (wait_has_fd(w->kind))
        return w->sleeps >= 2;
    if (t->language_only)
        return false;
    return w->sleeps >= (t->tid == t->pid ? 2 : POLLS_TO_TRUST) && t->asks > 0;
}

static void learn(struct model *m, struct thread *t)
{
    for (int i = 0; i < t->nwaits; i++) {
        if (is_own(t, &t->waits[i])) {
            trust(m, t, &t->waits[i], TRUST_PROVED);
            return;
        }
    }
    if (!t->proc->identified)
        return; // its answer comes within milliseconds, and may be the better proof
    const struct probe_wait *w = likeliest(t);
    bool looked = t->asks > 0 && !t->asking;
    if (looked && w && proved_by_return(t, w) && t->trust == TRUST_NO)
        trust(m, t, w, TRUST_PROVED);
    else
        ask_stack(m, t);
}

// A trusted thread was seen in waits that are not its own. Mostly these are blocks; where its stack cannot
// tell, only the long absence of its own wait says that the loop has moved on.
static void doubt(struct model *m, struct thread *t)
{
    const struct probe_wait *w = likeliest(t);
    struct probe_stats s;
    if (!w || same_wait(t, w) || probe_stats(m->probe, t->tid, &s) < 0)
        return;
    if (s.turns != t->doubt_turns || t->doubt_since_ns == 0) {
        t->doubt_turns = s.turns;
        t->doubt_since_ns = m->now_ns;
        t->doubt_sleeps = w->sleeps;
    }
    bool given_up = m->now_ns - t->doubt_since_ns >= DOUBT_NS &&
                    w->sleeps - t->doubt_sleeps >= DOUBT_SLEEPS && wait_has_fd(w->kind);
    if (given_up)
        trust(m, t, w, TRUST_PROVED);
    else
        ask_stack(m, t);
}

void trust_waits_seen(struct model *m, struct thread *t, const struct probe_wait *waits, int n)
{
    t->nwaits = n < WAITS_MAX ? n : WAITS_MAX;
    memcpy(t->waits, waits, sizeof(*waits) * (size_t)t->nwaits);
    if (!proc_is_judged(t->proc) || t->helper)
        return;
    if (t->trust == TRUST_PROVED)
        doubt(m, t);
    else
        learn(m, t);
}

void trust_identified(struct model *m, struct proc *p)
{
    struct thread *t;
    int asked = 0;
    if (!proc_is_judged(p)) {
        DL_FOREACH (p->threads, t) {
            probe_trust(m->probe, t->tid, WAIT_NONE, -1, 0);
            t->trust = TRUST_NO;
        }
        return;
    }
    DL_FOREACH (p->threads, t) {
        long nr = -1;
        uint64_t args[6];
        if (t->trust == TRUST_PROVED || t->helper || asked >= ASK_AT_ATTACH)
            continue;
        // A futex is what pools and idle threads sit in; only the main thread may be blocked in one.
        bool asleep = procfs_syscall(p->pid, t->tid, &nr, args) == 0;
        if (t->tid != p->pid && (!asleep || nr == SYS_futex || nr < 0))
            continue;
        asked++;
        learn(m, t);
    }
}

// A thread that is never asleep: one with a loop of its own and more work than it can do, say.
static bool is_busy_worker(const struct model *m, struct thread *t)
{
    long nr;
    uint64_t args[6];
    struct probe_stats s;
    if (t->tid == t->pid || m->now_ns - t->proc->added_ns < BUSY_NS || m->now_ns < t->ask_after_ns)
        return false;
    bool busy = probe_stats(m->probe, t->tid, &s) == 0 && s.running &&
                procfs_syscall(t->pid, t->tid, &nr, args) == -EAGAIN;
    if (!busy)
        t->ask_after_ns = m->now_ns + WEAK_NS;
    return busy;
}

void trust_tick(struct model *m, struct thread *t)
{
    if (t->helper || !proc_is_judged(t->proc) || !t->proc->identified)
        return;
    if (t->trust == TRUST_GUESSED) {
        struct probe_stats s;
        if (probe_stats(m->probe, t->tid, &s) == 0 && (s.in_wait || s.turns >= 2))
            t->trust = TRUST_PROVED; // it came back to the wait that was guessed
        return;
    }
    if (t->trust == TRUST_NO && t->weak.kind != WAIT_NONE &&
        m->now_ns - t->weak_since_ns >= WEAK_NS) {
        long nr;
        uint64_t args[6];
        if (procfs_syscall(t->pid, t->tid, &nr, args) == 0 &&
            wait_kind_of(nr, args[2]) == t->weak.kind && (int)args[0] == t->weak.fd)
            trust(m, t, &t->weak, TRUST_PROVED);
        else
            t->weak.kind = WAIT_NONE;
    }
    if (t->trust == TRUST_NO && (t->nwaits > 0 || t->tid == t->pid || is_busy_worker(m, t)))
        ask_stack(m, t);
}

bool trust_corrected(struct model *m, struct thread *t, const struct probe_wait *seen,
                     const struct stack_answer *answer)
{
    if (t->trust != TRUST_GUESSED || seen->kind == WAIT_NONE || !answer->stack ||
        !waits_in_loop(answer))
        return false;
    stall_drop(m, t);
    trust(m, t, seen, TRUST_PROVED);
    return true;
}

void trust_own_loop(struct model *m, struct thread *t, int epoll_fd, uint64_t turn_counter)
{
    struct probe_wait w = {.kind = WAIT_EPOLL, .fd = epoll_fd};
    t->own_epoll = epoll_fd;
    if (t->trust != TRUST_PROVED || !same_wait(t, &w))
        trust(m, t, &w, TRUST_PROVED);
    probe_loop_counter(m->probe, t->tid, turn_counter);
}
