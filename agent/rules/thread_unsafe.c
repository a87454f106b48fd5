#include <math.h>

#include "engine.h"

static const struct rule_key keys[] = {
    {"window", "ns", 60 * SECOND, "asyncio debug: any call counts"},
};

static const char *const remedy[] = {
    "a loop and all that belongs to it is used by its own thread only: go through ls_post or "
    "ls_spawn_from_thread",
    "such calls are refused with -EPERM: look at what they return",
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
    draft_report(r, d);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    bool any = false;
    for (int i = 0; i < now->nprocesses; i++) {
        const struct snap_process *p = &now->processes[i];
        if (p->misuse.calls == SNAP_UNKNOWN)
            continue;
        any = true;
        int64_t n = rules_recent(r, rule, p->pid, "", "calls", p->misuse.calls);
        if (n > 0)
            report(r, rule, p, n);
    }
    if (!any)
        rules_not_judged(r, rule, "no runtime that checks the thread of its calls");
}

const struct rule rule_thread_unsafe = {
    .id = "thread-unsafe",
    .meaning = "loop API called off its thread",
    .evidence = "both threads, the function, where it was called",
    .severity = SEV_WARNING,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
