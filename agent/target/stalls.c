// One stall is one turn that passed the threshold. Its looks (samples) come while it lasts; the stack of
// each is asked of the helper and arrives a moment later, so a stall is shown from its first answer on. When
// the turn has ended its split of wall time decides the cause; until then the split so far does.
//
// Captures are thinned only for repeats: each stall gets its first look, later looks share a budget.
#include "stalls.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "cause.h"
#include "intern.h"
#include "live.h"
#include "stall_cause.h"
#include "tasks.h"
#include "threads.h"
#include "trust.h"
#include "window.h"

#define SECOND_NS         1000000000LL
#define CAPTURES_A_SECOND 10 // of one process, beyond the first of each stall
#define FIRSTS_A_SECOND   50
#define KEEP_ENDED_NS     (2 * SECOND_NS) // a helper that does not answer delays no longer

struct look { // whose answer this is
    struct model *m;
    uint64_t stall;
    int tid, sample;
    uint64_t turn_seq;
    bool holder;
    struct probe_wait wait;
};

static struct stall *stall_by_id(struct model *m, uint64_t id)
{
    struct stall *s;
    DL_SEARCH_SCALAR(m->stalls, s, id, id);
    return s;
}

static int64_t since_start(const struct model *m, int64_t at_ns)
{
    return at_ns - m->started_ns;
}

static struct stall *stall_open(struct model *m, struct thread *t, uint64_t seq, int64_t begin_ns,
                                bool before_attach)
{
    struct stall *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->id = ++m->next_stall;
    s->turn_seq = seq;
    s->pid = t->pid;
    s->tid = t->tid;
    s->box = snap_new();
    s->facts = (struct snap_stall){.id = s->id,
                                   .pid = t->pid,
                                   .tid = t->tid,
                                   .begin_ns = since_start(m, begin_ns),
                                   .end_ns = SNAP_UNKNOWN,
                                   .threshold_ns = m->threshold_ns,
                                   .open = true,
                                   .lower_bound = true,
                                   .began_before_attach = before_attach,
                                   .captured_after_ns = SNAP_UNKNOWN,
                                   .attached_after_ns = SNAP_UNKNOWN,
                                   .ready_fds = SNAP_UNKNOWN};
    cause_clear(&s->facts.cause);
    s->facts.samples = s->samples;
    t->stall = s;
    DL_APPEND(m->stalls, s);
    return s;
}

static void stall_free(struct model *m, struct stall *s)
{
    struct thread *t = model_thread(m, s->tid);
    if (t && t->stall == s)
        t->stall = NULL;
    DL_DELETE(m->stalls, s);
    snap_unref(s->box);
    free(s);
}

// Hands the caller a free slot: the first looks stay, the last one is replaced.
static int sample_slot(struct stall *s)
{
    if (s->facts.nsamples < STALL_SAMPLES_MAX)
        return s->facts.nsamples++;
    return STALL_SAMPLES_MAX - 1;
}

static bool within_budget(struct model *m, struct proc *p, bool first)
{
    int64_t second = m->now_ns / SECOND_NS;
    if (second != p->budget_second) {
        p->budget_second = second;
        p->budget_used = 0;
    }
    if (p->budget_used >= (first ? FIRSTS_A_SECOND : CAPTURES_A_SECOND))
        return false;
    p->budget_used++;
    return true;
}

// The first look has its answer: the stall can be shown. at_ns: when its stack was taken.
static void note_captured(struct model *m, struct stall *s)
{
    m->urgent |= !s->captured;
    m->fresh |= !s->captured;
    s->captured = true;
}

static void note_stack(struct stall *s, int64_t at_ns)
{
    struct snap_stall *f = &s->facts;
    if (f->began_before_attach) {
        if (f->attached_after_ns == SNAP_UNKNOWN)
            f->attached_after_ns = at_ns - f->begin_ns;
    } else if (f->captured_after_ns == SNAP_UNKNOWN) {
        f->captured_after_ns = at_ns - f->begin_ns - f->threshold_ns;
    }
}

// The interpreter's own lock is one; of others the address tells which.
static const char *lock_text(struct snap *box, const char *what, const char *futex)
{
    return strcmp(what, "GIL") == 0 ? "GIL" : snap_printf(box, "%s (%s)", what, futex);
}

static void take_task(struct model *m, struct stall *s, int tid, const struct task_ref *told)
{
    struct task_ref ref = *told;
    const struct thread *t = model_thread(m, tid);
    const char *id = t ? tasks_id(t->proc, ref.id) : NULL;
    if (id)
        ref.id = id;
    snap_copy_task_ref(s->box, &s->facts.task, &ref);
}

static void take_answer(struct model *m, struct stall *s, const struct look *l,
                        const struct stack_answer *a)
{
    struct stall_sample *k = &s->samples[l->sample];
    m->stacks++;
    m->torn_stacks += !a->stack || a->stack->torn;
    // Frames that were read live may belong to a later turn: then nothing of them is worth a word.
    bool stale = a->live_reads && !probe_same_turn(m->probe, l->tid, l->turn_seq);
    if (a->stack && !stale) {
        k->stack = snap_hold(s->box, stack_intern(m, a->stack));
        k->why_not = NULL;
    } else {
        k->why_not = stale ? "the turn ended while its older frames were read"
                           : snap_strdup(s->box, a->why_not ? a->why_not : "no stack");
    }
    if (stale)
        return;
    s->gc[l->sample] = a->gc;
    if (a->lock && k->cause.lock && k->cause.holder_tid == SNAP_UNKNOWN && sample_in_futex(k))
        k->cause.lock = lock_text(s->box, a->lock, k->cause.lock);
    if (a->holder && k->cause.lock && !k->cause.peer)
        k->cause.peer = snap_strdup(s->box, a->holder);
    if (a->gc && (k->cause.kind == CAUSE_CPU_USER || k->cause.kind == CAUSE_LOCK))
        k->cause.kind = CAUSE_GC;
    if (a->task.id && !s->facts.task.id)
        take_task(m, s, l->tid, &a->task);
}

static void keep_busy_stack(struct model *m, int tid, const struct stall_sample *k)
{
    struct thread *t = model_thread(m, tid);
    if (!t || !t->history || !k->on_cpu || !k->stack)
        return;
    stack_unref(t->history->busy_stack);
    t->history->busy_stack = stack_ref(k->stack);
    t->history->busy_stack_ns = m->now_ns;
}

static void holder_answered(struct model *m, struct stall *s, const struct look *l,
                            const struct stack_answer *a)
{
    if (a->stack)
        s->samples[l->sample].cause.holder_stack = snap_hold(s->box, stack_intern(m, a->stack));
    stall_settle(s);
}

static void look_answered(void *arg, const struct stack_answer *a)
{
    struct look l = *(struct look *)arg;
    free(arg);
    struct model *m = l.m;
    struct stall *s = stall_by_id(m, l.stall);
    if (!s)
        return;
    s->pending--;
    if (l.holder) {
        holder_answered(m, s, &l, a);
        return;
    }
    struct thread *t = model_thread(m, l.tid);
    if (t && t->stall == s && trust_corrected(m, t, &l.wait, a))
        return; // it waits in its loop: no stall, and gone
    take_answer(m, s, &l, a);
    keep_busy_stack(m, l.tid, &s->samples[l.sample]);
    stall_settle(s);
    if (s->samples[l.sample].stack)
        note_stack(s, s->samples[l.sample].at_ns);
    note_captured(m, s);
}

static bool ask(struct model *m, const struct thread *t, const struct probe_sample *s,
                const struct look *what)
{
    struct look *l = malloc(sizeof(*l));
    if (!l)
        return false;
    *l = *what;
    struct stack_request r = {.pid = t->pid,
                              .tid = s->tid,
                              .runtime = t->proc->identity.runtime,
                              .native = m->native,
                              .on_cpu = s->on_cpu,
                              .regs = s->regs,
                              .stack_base = s->stack_base,
                              .stack = s->stack,
                              .stack_len = s->stack_len,
                              .stack_whole = s->stack_whole};
    if (stacker_stack(m->stacker, &r, look_answered, l) == 0)
        return true;
    free(l);
    return false;
}

// The thread that holds the lock: what it does there is half of the answer.
static void ask_holder(struct model *m, struct thread *t, struct stall *s, int sample)
{
    int64_t holder = s->samples[sample].cause.holder_tid;
    struct probe_sample peek = {0};
    if (holder == SNAP_UNKNOWN || !model_thread(m, (int)holder) || sample > 0 ||
        probe_peek(m->probe, (int)holder, &peek) < 0 || !peek.has_regs)
        return;
    struct look l = {.m = m, .stall = s->id, .tid = (int)holder, .sample = sample, .holder = true};
    s->pending += ask(m, t, &peek, &l);
}

static void ask_stack_of(struct model *m, struct thread *t, struct stall *s, int slot,
                         const struct probe_sample *sample)
{
    struct look l = {.m = m,
                     .stall = s->id,
                     .tid = t->tid,
                     .sample = slot,
                     .turn_seq = sample->turn_seq,
                     .wait = wait_of_sample(sample)};
    if (sample->has_regs && ask(m, t, sample, &l)) {
        s->pending++;
        ask_holder(m, t, s, slot);
        return;
    }
    if (!s->samples[slot].why_not)
        s->samples[slot].why_not = "the registers of a running thread cannot be read here";
    note_captured(m, s);
}

static struct probe_split minus(const struct probe_split *a, const struct probe_split *b)
{
    return (struct probe_split){.cpu_user = a->cpu_user - b->cpu_user,
                                .cpu_kernel = a->cpu_kernel - b->cpu_kernel,
                                .runqueue = a->runqueue - b->runqueue,
                                .stopped = a->stopped - b->stopped,
                                .sleep_syscall = a->sleep_syscall - b->sleep_syscall,
                                .sleep_futex = a->sleep_futex - b->sleep_futex,
                                .sleep_fault = a->sleep_fault - b->sleep_fault};
}

static void split_so_far(struct model *m, struct stall *s, const struct probe_sample *sample,
                         enum cause_kind kind)
{
    struct probe_stats now;
    s->facts.split = split_of_turn(&sample->split, sample->syscall, sample->args, 0);
    split_add_sample(&s->facts.split, sample, kind);
    if (!s->have_base && probe_stats(m->probe, s->tid, &now) == 0 &&
        now.turn_seq == sample->turn_seq) {
        s->base = minus(&now.split, &sample->split);
        s->have_base = true;
    }
}

void stall_refresh(struct stall *s, const struct probe_stats *now)
{
    if (!s->facts.open || !s->have_base || now->turn_seq != s->turn_seq)
        return;
    const struct stall_sample *last =
        s->facts.nsamples > 0 ? &s->samples[s->facts.nsamples - 1] : NULL;
    struct probe_split split = minus(&now->split, &s->base);
    struct time_split t = split_of_turn(&split, -1, NULL, 0);
    // A file lock is a call to the kernel, and a lock to a person.
    if (last && last->cause.kind == CAUSE_LOCK && t.syscall > t.lock) {
        t.lock += t.syscall;
        t.syscall = 0;
    }
    s->facts.split = t;
    stall_settle(s);
}

void stall_sample(struct model *m, struct thread *t, const struct probe_sample *sample)
{
    if (!t->history || t->trust == TRUST_NO)
        return;
    if (t->stall && t->stall->turn_seq != sample->turn_seq)
        stall_cut(m, t, false); // its end was lost
    bool first = !t->stall;
    struct stall *s = first ? stall_open(m, t, sample->turn_seq, sample->turn_begin_ns,
                                         sample->began_before_attach)
                            : t->stall;
    if (!s)
        return;
    s->facts.duration_ns = sample->at_ns - sample->turn_begin_ns;
    if (!within_budget(m, t->proc, first)) {
        s->facts.suppressed++;
        if (first)
            note_captured(m, s);
        return;
    }
    int slot = sample_slot(s);
    struct stall_sample *k = &s->samples[slot];
    *k = (struct stall_sample){.at_ns = since_start(m, sample->at_ns),
                               .elapsed_ns = sample->at_ns - sample->turn_begin_ns,
                               .level = sample->level,
                               .on_cpu = sample->on_cpu,
                               .why_not = snap_strdup(s->box, sample->why_not)};
    s->gc[slot] = false;
    cause_of_sample(sample, s->box, &k->cause);
    split_so_far(m, s, sample, k->cause.kind);
    stall_settle(s);
    live_running_task(t->proc, t->tid, s->box, &s->facts.task);
    ask_stack_of(m, t, s, slot, sample);
}

static void stall_end(struct model *m, struct thread *t, struct stall *s, int64_t end_ns)
{
    s->facts.open = false;
    s->facts.end_ns = since_start(m, end_ns);
    s->facts.duration_ns = s->facts.end_ns - s->facts.begin_ns;
    t->stall = NULL;
    t->stalled_until_ns = end_ns;
    m->urgent = true;
    if (t->history)
        window_long_turn(t->history, s->facts.duration_ns);
}

void stall_turn(struct model *m, struct thread *t, const struct probe_turn *turn)
{
    struct stall *s = t->stall;
    if (s && s->turn_seq != turn->seq) {
        stall_cut(m, t, false);
        s = NULL;
    }
    if (!t->history || (!s && turn->end_ns - turn->begin_ns < m->threshold_ns))
        return;
    if (!s)
        s = stall_open(m, t, turn->seq, turn->begin_ns, turn->began_before_attach);
    if (!s)
        return;
    s->facts.begin_ns = since_start(m, turn->begin_ns);
    stall_end(m, t, s, turn->end_ns);
    s->facts.lower_bound = turn->began_before_attach || turn->gone;
    s->facts.gone = turn->gone;
    s->facts.split = split_of_turn(&turn->split, turn->top_syscall, turn->top_args, turn->top_ns);
    stall_settle(s);
    // No look hit it: the longest call's arguments are better than nothing.
    enum cause_kind kind = s->facts.cause.kind;
    if (!stall_detail(s, kind) && turn->top_syscall >= 0 &&
        (kind == CAUSE_SYSCALL || kind == CAUSE_LOCK)) {
        double ratio = s->facts.cause.ratio;
        cause_of_call(t->pid, t->tid, turn->top_syscall, turn->top_args, s->box, &s->facts.cause);
        s->facts.cause.kind = kind;
        s->facts.cause.ratio = ratio;
    }
}

void stall_cut(struct model *m, struct thread *t, bool gone)
{
    struct stall *s = t->stall;
    if (!s)
        return;
    stall_end(m, t, s, m->now_ns);
    s->facts.lower_bound = true;
    s->facts.gone = gone;
}

void stall_drop(struct model *m, struct thread *t)
{
    if (t->stall)
        stall_free(m, t->stall);
}

void stall_tick(struct model *m)
{
    struct stall *s;
    DL_FOREACH (m->stalls, s) {
        if (!s->facts.open)
            continue;
        s->facts.duration_ns = since_start(m, m->now_ns) - s->facts.begin_ns;
        if (!s->severe && s->captured && s->facts.duration_ns >= SECOND_NS)
            s->severe = m->urgent = true;
    }
}

bool stall_is_ready(const struct stall *s)
{
    return s->captured || (!s->facts.open && s->pending == 0);
}

void stall_shown(struct model *m)
{
    struct stall *s, *next;
    DL_FOREACH_SAFE(m->stalls, s, next)
    {
        if (s->facts.open)
            continue;
        bool late = since_start(m, m->now_ns) - s->facts.end_ns > KEEP_ENDED_NS;
        if (late || (s->shown_ended && s->pending == 0))
            stall_free(m, s);
    }
}

void stall_free_all(struct model *m)
{
    struct stall *s, *next;
    DL_FOREACH_SAFE(m->stalls, s, next)
    stall_free(m, s);
}
