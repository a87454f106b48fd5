// A stall is one finding. Its rule is the most specific one that explains it at the first look, and stays
// that one; `also` lists the others that hold. What the rules know of a stall's course is kept by its id
// while it is open; afterwards only the finding remains.
//
// Events: OPEN at the first look of a finding's first stall, UPDATE at the first look of each further one: told
// while it lasts. UPDATE again when it has ended and its length is known. In between only when the finding
// becomes worse: a stall that passes the critical length.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "engine.h"

#define SHARE_TOLD 0.2 // of a stall's time without a CPU, worth a word beside its main cause

static const struct rule *rule_of(const struct rules *r, const struct snap_stall *s)
{
    for (int i = 0; all_rules[i]; i++)
        if (all_rules[i]->holds && all_rules[i]->holds(r, s))
            return all_rules[i];
    return &rule_loop_blocked;
}

static void put_also(const struct rules *r, struct draft *d, const struct snap_stall *s)
{
    d->f.also = snap_alloc(d->box, sizeof(*d->f.also) * 8);
    for (int i = 0; all_rules[i] && d->f.nalso < 7; i++)
        if (all_rules[i] != d->rule && all_rules[i]->holds && all_rules[i]->holds(r, s))
            d->f.also[d->f.nalso++] = all_rules[i]->id;
}

static struct stack *stack_of(const struct snap_stall *s)
{
    struct stack *any = NULL;
    for (int i = 0; i < s->nsamples; i++) { // of the winning cause first
        if (s->samples[i].stack && s->samples[i].cause.kind == s->cause.kind)
            return s->samples[i].stack;
        if (!any)
            any = s->samples[i].stack;
    }
    return any;
}

static void put_length(struct draft *d, const struct snap_stall *s)
{
    char age[32], limit[32];
    text_ns(s->duration_ns, age, sizeof(age));
    text_ns(s->threshold_ns, limit, sizeof(limit));
    draft_evidence(d, "duration", "ns", (double)s->duration_ns,
                   s->began_before_attach ? "%s%s since the attach; it began before that"
                   : s->open              ? "%s%s so far, not back at its poll yet (threshold %s)"
                                          : "%s%s from one poll to the next (threshold %s)",
                   s->began_before_attach ? "at least " : "", age, limit);
}

static void put_split(struct draft *d, const struct snap_stall *s)
{
    const struct {
        const char *key, *words;
        int64_t ns;
    } parts[] = {{"cpu_user", "computing", s->split.cpu_user},
                 {"cpu_kernel", "on the CPU in the kernel", s->split.cpu_kernel},
                 {"syscall", "asleep in system calls", s->split.syscall},
                 {"lock", "waiting for locks", s->split.lock},
                 {"runqueue", "runnable without a CPU", s->split.runqueue},
                 {"page_fault", "asleep in page faults", s->split.page_fault},
                 {"gc", "collecting garbage", s->split.gc},
                 {"stopped", "stopped", s->split.stopped}};
    char length[32];
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && s->duration_ns > 0; i++) {
        double share = (double)parts[i].ns / (double)s->duration_ns;
        if (share >= 0.01)
            draft_evidence(d, parts[i].key, "ns", (double)parts[i].ns, "%.0f %% %s (%s)",
                           fmin(share, 1) * 100, parts[i].words,
                           text_ns(parts[i].ns, length, sizeof(length)));
    }
}

static void put_descriptor(struct draft *d, const struct cause *c)
{
    if (c->kind == CAUSE_LOCK && c->fd != SNAP_UNKNOWN && c->path)
        draft_evidence(d, "fd", "fd", (double)c->fd, "fd %lld is %s%s%s", (long long)c->fd, c->path,
                       c->peer ? "; the lock is held by " : "", c->peer ? c->peer : "");
    else if (c->fd != SNAP_UNKNOWN && (c->path || c->peer))
        draft_evidence(d, "fd", "fd", (double)c->fd, "fd %lld is %s%s%s%s", (long long)c->fd,
                       c->path ? c->path : "", c->path && c->peer ? ", " : "",
                       c->peer ? c->peer : "",
                       c->nonblock_missing ? "; it was opened without O_NONBLOCK" : "");
}

static void put_capture(struct draft *d, const struct snap_stall *s, const struct stack *stack)
{
    char after[32];
    if (s->captured_after_ns != SNAP_UNKNOWN)
        draft_evidence(d, "captured_after", "ns", (double)s->captured_after_ns,
                       "stack taken during the block, %s after the threshold was passed",
                       text_ns(s->captured_after_ns, after, sizeof(after)));
    else if (s->attached_after_ns != SNAP_UNKNOWN)
        draft_evidence(d, "attached_after", "ns", (double)s->attached_after_ns,
                       "stack taken during the block, %s after the attach",
                       text_ns(s->attached_after_ns, after, sizeof(after)));
    if (!stack)
        draft_evidence(d, "no_stack", "", NAN, "no stack: %s",
                       s->nsamples && s->samples[0].why_not ? s->samples[0].why_not
                                                            : "nobody looked while it lasted");
}

static void put_task(struct draft *d, const struct snap_stall *s)
{
    if (!s->task.id)
        return;
    snap_copy_task_ref(d->box, &d->f.task, &s->task);
    draft_evidence(
        d, "task", "", NAN, "task %s was running%s%s%s%s", s->task.name ? s->task.name : s->task.id,
        s->task.spawn_site ? ", spawned at " : "", s->task.spawn_site ? s->task.spawn_site : "",
        s->task.await_site ? ", last awaited at " : "",
        s->task.await_site ? s->task.await_site : "");
}

static double starved_share(const struct snap_stall *s)
{
    return s->duration_ns > 0 ? (double)s->split.runqueue / (double)s->duration_ns : 0;
}

static void put_starved_by(const struct rules *r, struct draft *d, const struct snap_stall *s)
{
    for (int i = 0; i < r->now->nloops; i++) {
        const struct snap_loop *l = &r->now->loops[i];
        if (l->tid == s->tid && l->window.starved_by && starved_share(s) >= SHARE_TOLD)
            draft_evidence(d, "starved_by", "", NAN, "while it waited for a CPU there ran %s",
                           l->window.starved_by);
    }
}

static void put_evidence(struct rules *r, struct draft *d, const struct snap_stall *s,
                         const struct stack *stack)
{
    put_length(d, s);
    put_split(d, s);
    put_starved_by(r, d, s);
    put_descriptor(d, &s->cause);
    if (s->ready_fds > 0)
        draft_evidence(d, "ready_fds", "count", (double)s->ready_fds,
                       "%lld descriptors were ready and unserved", (long long)s->ready_fds);
    put_task(d, s);
    put_capture(d, s, stack);
    const struct snap_process *p = snap_process_of(r->now, s->pid);
    if (p && p->why_not)
        draft_evidence(d, "note", "", NAN, "%s", p->why_not);
}

static double confidence_of(const struct snap_stall *s, const struct stack *stack)
{
    double c = stack ? stack->culprit >= 0 ? 0.95 : 0.8 : 0.6;
    return s->cause.kind == CAUSE_UNKNOWN ? c / 2 : stack && stack->torn ? c - 0.2 : c;
}

// An id that is an address says nothing to a person.
static void name_task(struct draft *d, const struct task_ref *t)
{
    bool number = t->id && strncmp(t->id, "0x", 2) != 0;
    draft_title(d, "%s, in task %s%s%s%s%s", d->f.title, t->name, number ? " #" : "",
                number ? t->id : "", t->spawn_site ? ", spawned at " : "",
                t->spawn_site ? t->spawn_site : "");
}

static struct draft *draft_of(struct rules *r, const struct rule *rule, const struct snap_stall *s,
                              const char *culprit)
{
    struct stack *stack = stack_of(s);
    struct draft *d = draft_new(r, rule, s->pid, s->tid, culprit);
    char age[32], doing[1000];
    text_ns(s->duration_ns, age, sizeof(age));
    draft_title(d, "loop blocked for %s%s%s %s", s->began_before_attach ? "at least " : "", age,
                s->open ? " so far" : "", text_doing(&s->cause, stack, doing, sizeof(doing)));
    if (s->task.name)
        name_task(d, &s->task);
    // The rule was settled by the first look; what to do goes by the cause, which may have turned out another.
    if (s->cause.kind == CAUSE_RUNQUEUE)
        draft_remedy(d, &rule_loop_starved);
    else if (rule == &rule_loop_starved)
        draft_remedy(d, &rule_loop_blocked);
    else if (rule == &rule_loop_sync_io || waits_for_interpreter(&s->cause))
        draft_remedy_of_call(d, &s->cause);
    if (s->cause.kind != CAUSE_RUNQUEUE && starved_share(s) >= SHARE_TOLD)
        draft_title(d, "%s; %.0f %% of it without a CPU", d->f.title, starved_share(s) * 100);
    struct finding *f = &d->f;
    f->severity =
        s->duration_ns >= rules_ns(r, &rule_loop_blocked, "critical") ? SEV_CRITICAL : SEV_WARNING;
    f->duration_ns = s->duration_ns;
    f->duration_is_lower_bound = s->lower_bound;
    f->still_open = s->open;
    f->began_before_attach = s->began_before_attach;
    f->captured_during = stack != NULL;
    f->captured_after_ns = s->captured_after_ns;
    f->attached_after_ns = s->attached_after_ns;
    f->confidence = confidence_of(s, stack);
    draft_cause(d, &s->cause, stack);
    put_also(r, d, s);
    put_evidence(r, d, s, stack);
    return d;
}

static void write_occurrence(struct known *k, const struct snap_stall *s)
{
    struct occurrence *o = &k->f.occurrences[0];
    *o = (struct occurrence){.at_ns = s->begin_ns,
                             .duration_ns = s->duration_ns,
                             .captured_after_ns = s->captured_after_ns,
                             .stack = snap_hold(k->box, stack_of(s))};
    snap_copy_cause(k->box, &o->cause, &s->cause);
}

// Room for one more, the newest first.
static void push_occurrence(struct known *k)
{
    int n = k->f.noccurrences < OCCURRENCES ? k->f.noccurrences : OCCURRENCES - 1;
    struct occurrence *grown = snap_alloc(k->box, sizeof(*grown) * (size_t)(n + 1));
    if (n)
        memcpy(grown + 1, k->f.occurrences, sizeof(*grown) * (size_t)n);
    k->f.occurrences = grown;
    k->f.noccurrences = n + 1;
}

static void culprit_key(const struct snap_stall *s, char *buf, size_t size)
{
    struct stack *stack = stack_of(s);
    if (s->cause.kind == CAUSE_RUNQUEUE || s->cause.kind == CAUSE_STOPPED)
        buf[0] = '\0'; // wherever it was: not its doing
    else if (!text_culprit_key(stack, buf, size)[0] && s->cause.syscall)
        strncat(buf, s->cause.syscall, size - 1);
}

static struct known *report_new(struct rules *r, const struct snap_stall *s)
{
    char culprit[CULPRIT_TEXT];
    const struct rule *rule = rule_of(r, s);
    culprit_key(s, culprit, sizeof(culprit));
    struct known *k = rules_find(r, rule, s->pid, s->tid, culprit);
    bool known = k != NULL, was_open = k && k->f.open;
    struct draft *d = draft_of(r, rule, s, culprit);
    if (known)
        known_renew(r, k, d);
    else
        k = draft_report(r, d);
    if (known)
        k->f.count++;
    else
        k->f.first_seen_ns = s->begin_ns;
    // Each occurrence is told while it lasts, a repeat too.
    if (known)
        known_event(r, k, was_open ? EVENT_UPDATE : EVENT_OPEN);
    push_occurrence(k);
    k->stall = s->id;
    return k;
}

// The words change while a stall goes on: its length, its cause's share, better frames.
static void renew(struct rules *r, struct known *k, const struct snap_stall *s)
{
    if (k->stall != s->id)
        return; // another stall of the same loop is newer
    struct draft *d = draft_of(r, k->rule, s, "");
    known_renew(r, k, d);
    k->f.last_seen_ns = s->open ? r->now->now_ns : s->end_ns;
    k->f.suppressed += s->open ? 0 : s->suppressed;
    write_occurrence(k, s);
}

static bool stacks_agree(const struct snap_stall *s)
{
    const struct stack *last = NULL;
    for (int i = 0; i < s->nsamples; i++) {
        const struct stack *k = s->samples[i].stack;
        if (k && last && strcmp(k->id, last->id) != 0)
            return false;
        last = k ? k : last;
    }
    return last != NULL;
}

static void relate(struct known *a, const struct known *b)
{
    for (int i = 0; i < a->f.nrelated; i++)
        if (strcmp(a->f.related[i], b->f.id) == 0)
            return;
    const char **grown = snap_alloc(a->box, sizeof(*grown) * (size_t)(a->f.nrelated + 1));
    if (a->f.nrelated)
        memcpy(grown, a->f.related, sizeof(*grown) * (size_t)a->f.nrelated);
    grown[a->f.nrelated++] = snap_strdup(a->box, b->f.id);
    a->f.related = grown;
}

static void judge_hung(struct rules *r, struct seen_stall *seen, const struct snap_stall *s)
{
    char culprit[CULPRIT_TEXT], age[32], doing[1000];
    if (s->duration_ns < rules_ns(r, &rule_loop_hung, "after"))
        return;
    struct stack *stack = stack_of(s);
    culprit_key(s, culprit, sizeof(culprit));
    struct draft *d = draft_of(r, &rule_loop_hung, s, culprit);
    d->f.severity = SEV_CRITICAL;
    d->f.nalso = 0;
    draft_title(d, "loop hung: %s for %s%s", s->open ? "blocked" : "was blocked",
                text_ns(s->duration_ns, age, sizeof(age)), s->open ? " and counting" : "");
    draft_title(d, "%s, %s", d->f.title, text_doing(&s->cause, stack, doing, sizeof(doing)));
    if (stacks_agree(s))
        draft_evidence(d, "stack", "count", s->nsamples, "the same stack at all %d looks",
                       s->nsamples);
    // What it does is known better later on: it stays the finding that it was opened as.
    struct known *k = seen->hung;
    if (k) {
        known_renew(r, k, d);
        k->f.last_seen_ns = r->now->now_ns;
    } else {
        struct known *before = rules_find(r, &rule_loop_hung, s->pid, s->tid, culprit);
        bool counted = before && before->f.open;
        k = draft_report(r, d);
        push_occurrence(k);
        k->f.count += counted;
    }
    k->stall = s->id;
    write_occurrence(k, s);
    seen->hung = k;
    relate(k, seen->finding);
    relate(seen->finding, k);
    if (!s->open)
        known_event(r, k, EVENT_UPDATE);
}

static void judge_stall(struct rules *r, const struct snap_stall *s)
{
    struct seen_stall *seen;
    HASH_FIND(hh, r->stalls, &s->id, sizeof(s->id), seen);
    bool told_whole = !seen && !s->open; // over before it could be told: once will do
    if (!seen) {
        if (!(seen = calloc(1, sizeof(*seen))))
            abort();
        seen->id = s->id;
        HASH_ADD(hh, r->stalls, id, sizeof(seen->id), seen);
        seen->finding = report_new(r, s);
        write_occurrence(seen->finding, s);
    }
    struct known *k = seen->finding;
    enum severity before = k->f.severity;
    renew(r, k, s);
    judge_hung(r, seen, s);
    if (!s->open) {
        if (!told_whole)
            known_event(r, k, EVENT_UPDATE);
        HASH_DEL(r->stalls, seen);
        free(seen);
    } else if (k->f.severity > before) {
        known_event(r, k, EVENT_UPDATE);
    }
}

void stalls_judge(struct rules *r)
{
    for (int i = 0; i < r->now->nstalls; i++)
        judge_stall(r, &r->now->stalls[i]);
}

void stalls_forget(struct rules *r)
{
    struct seen_stall *s, *next;
    HASH_ITER (hh, r->stalls, s, next) {
        HASH_DEL(r->stalls, s);
        free(s);
    }
}
