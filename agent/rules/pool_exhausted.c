#include "engine.h"

static const struct rule_key keys[] = {
    {"warn", "ns", 100 * MS, "libuv#1144: all workers busy while the loop idles"},
    {"window", "ns", 10 * SECOND, "ours"},
};

static const char *const remedy[] = {
    "long jobs (DNS, files, crypto, zlib) share one small pool: give them one of their own, or "
    "shorten them",
    "raise UV_THREADPOOL_SIZE (4 unless set)",
    NULL,
};

static void report(struct rules *r, const struct rule *rule, const struct snap_loop *l)
{
    char busy[32], span[32];
    text_ns(l->window.pool_busy_ns, busy, sizeof(busy));
    text_ns(l->window.window_ns, span, sizeof(span));
    struct draft *d = draft_new(r, rule, l->pid, 0, "");
    draft_title(d, "worker pool exhausted: all workers busy for %s of %s while the loop was idle",
                busy, span);
    draft_evidence(d, "pool_busy", "ns", (double)l->window.pool_busy_ns,
                   "every worker was at work for %s of %s, the loop waiting", busy, span);
    draft_report(r, d);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    for (int i = 0; i < now->nloops; i++) {
        const struct snap_loop *l = &now->loops[i];
        if (!l->judged || l->window.pool_busy_ns == SNAP_UNKNOWN)
            continue;
        if (l->window.window_ns < WARM_UP_NS)
            rules_not_judged(r, rule, "needs 2 s of a pool's work");
        else if (l->window.pool_busy_ns >= rules_ns(r, rule, "warn"))
            report(r, rule, l);
    }
}

const struct rule rule_pool_exhausted = {
    .id = "pool-exhausted",
    .meaning = "the worker pool is the bottleneck",
    .evidence = "how long all workers were busy while the loop idled",
    .severity = SEV_WARNING,
    .nkeys = 2,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
