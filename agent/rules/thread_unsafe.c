// Two sources: the runtime's own check, which refuses such calls and counts them; and, of any libuv, probes on its
// functions (--thread-checks), which see the call itself and the stack of it.
#include <math.h>
#include <stdio.h>

#include "engine.h"

static const struct rule_key keys[] = {
    {"window", "ns", 60 * SECOND, "asyncio debug: any call counts"},
};

// Of the runtime's check the first OF_RUNTIME, of the probes the rest.
#define OF_RUNTIME 2
static const char *const remedy[] = {
    "a loop and all that belongs to it is used by its own thread only: go through ls_post or "
    "ls_spawn_from_thread",
    "such calls are refused with -EPERM: look at what they return",
    "of libuv only uv_async_send may be called by another thread: put the work into a queue with a "
    "mutex, call uv_async_send, and make the call in the uv_async_t's callback",
    "make the uv_async_t before the thread starts; several uv_async_send may be one callback, so "
    "empty the queue each time",
    NULL,
};

static void report(struct rules *r, const struct rule *rule, const struct snap_process *p,
                   int64_t n)
{
    const char *function = p->misuse.function && *p->misuse.function ? p->misuse.function : "?";
    struct draft *d = draft_new(r, rule, p->pid, 0, p->misuse.site ? p->misuse.site : function);
    draft_title(d, "%s called from thread %d, which is not the loop's%s%s", function, p->misuse.tid,
                p->misuse.site ? ", at " : "", p->misuse.site ? p->misuse.site : "");
    draft_evidence(d, "calls", "count", (double)n, "%lld such calls within the last minute",
                   (long long)n);
    draft_evidence(d, "caller", "", p->misuse.tid, "the calling thread is %d", p->misuse.tid);
    if (p->misuse.loop_tid)
        draft_evidence(d, "owner", "", p->misuse.loop_tid, "the loop belongs to thread %d",
                       p->misuse.loop_tid);
    d->f.nremedy = OF_RUNTIME;
    draft_report(r, d);
}

static bool is_named(const struct stack *s)
{
    return s && s->culprit >= 0 && s->culprit < s->nframes;
}

static void report_call(struct rules *r, const struct rule *rule, const struct snap_misuse *m)
{
    char culprit[CULPRIT_TEXT], key[CULPRIT_TEXT * 2];
    text_culprit_key(m->stack, culprit, sizeof(culprit));
    snprintf(key, sizeof(key), "%s/%s/%s", m->function, m->loop, culprit);
    struct draft *d = draft_new(r, rule, m->pid, 0, key);
    text_culprit(m->stack, culprit, sizeof(culprit));
    draft_title(d, "%s called from thread %d (%s), which is not the loop's%s%s", m->function,
                m->tid, m->thread, is_named(m->stack) ? ", at " : "", culprit);
    d->f.stack = snap_hold(d->box, m->stack);
    draft_evidence(d, "calls", "count", (double)m->calls,
                   "%lld such call%s from there since it is watched", (long long)m->calls,
                   m->calls == 1 ? "" : "s");
    draft_evidence(d, "caller", "", m->tid, "the calling thread is %d (%s)", m->tid, m->thread);
    draft_evidence(d, "owner", "", m->loop_tid,
                   "the loop %s belongs to thread %d, which was in uv_run at that moment", m->loop,
                   m->loop_tid);
    d->f.remedy += OF_RUNTIME;
    d->f.nremedy -= OF_RUNTIME;
    d->f.verify = snap_printf(d->box, "%s --thread-checks", d->f.verify);
    draft_report(r, d);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    bool any = false;
    const char *why = NULL;
    for (int i = 0; i < now->nprocesses; i++) {
        const struct snap_process *p = &now->processes[i];
        why = why ? why : p->misuse.why_not;
        if (p->misuse.calls == SNAP_UNKNOWN)
            continue;
        any = true;
        int64_t n = rules_recent(r, rule, p->pid, "", "calls", p->misuse.calls);
        if (n > 0)
            report(r, rule, p, n);
    }
    for (int i = 0; i < now->nmisuses; i++)
        if (now->now_ns - now->misuses[i].last_ns <= rules_ns(r, rule, "window"))
            report_call(r, rule, &now->misuses[i]);
    if (!any)
        rules_not_judged(r, rule, "%s",
                         why ? why : "no runtime that checks the thread of its calls");
}

const struct rule rule_thread_unsafe = {
    .id = "thread-unsafe",
    .meaning = "loop API called off its thread",
    .evidence = "both threads, the function, where it was called; with --thread-checks the calling "
                "stack and the loop",
    .severity = SEV_WARNING,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
