#include "engine.h"
#include "forecast.h"

static const struct rule_key keys[] = {
    {"warn", "ratio", 0.80, "bcc's fdleak"},
    {"critical", "ratio", 0.95, "ours"},
};

static const char *const remedy[] = {
    "find what opens them: loopscope fds PID --fd-stacks",
    "raise RLIMIT_NOFILE (ulimit -n, LimitNOFILE=) if so many are right",
    NULL,
};

// From the count's growth since the finding opened. What came in so far is certain to twice its root.
static void put_forecast(struct draft *d, const struct known *k, const struct snap_process *p,
                         int64_t now_ns)
{
    if (!k || k->base <= 0 || (double)p->fd_count <= k->base)
        return;
    double seconds = (double)(now_ns - k->f.first_seen_ns) / 1e9,
           more = (double)p->fd_count - k->base;
    struct forecast f = forecast_of((double)(p->fd_limit - p->fd_count), more, seconds);
    if (f.known)
        draft_evidence(d, "growth", "per_s", f.rate, "%.0f more in %.0f s", more, seconds);
    forecast_put(d, &f);
}

static void report(struct rules *r, const struct rule *rule, const struct snap_process *p,
                   double share)
{
    struct known *k = rules_find(r, rule, p->pid, 0, "");
    struct draft *d = draft_new(r, rule, p->pid, 0, "");
    d->f.severity = share >= rules_value(r, rule, "critical") ? SEV_CRITICAL : SEV_WARNING;
    draft_title(d, "%lld of %lld descriptors in use (%.0f %%)", (long long)p->fd_count,
                (long long)p->fd_limit, share * 100);
    draft_evidence(d, "fds", "count", (double)p->fd_count, "%lld descriptors are open",
                   (long long)p->fd_count);
    draft_evidence(d, "limit", "count", (double)p->fd_limit, "RLIMIT_NOFILE is %lld%s",
                   (long long)p->fd_limit,
                   p->fd_limit_hard > p->fd_limit ? " (the hard limit is higher)" : "");
    put_forecast(d, k, p, r->now->now_ns);
    k = draft_report(r, d);
    if (k->base <= 0)
        k->base = (double)p->fd_count;
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    for (int i = 0; i < now->nprocesses; i++) {
        const struct snap_process *p = &now->processes[i];
        if (p->fd_count == SNAP_UNKNOWN || p->fd_limit == SNAP_UNKNOWN || p->fd_limit <= 0)
            continue;
        double share = (double)p->fd_count / (double)p->fd_limit;
        if (share >= rules_value(r, rule, "warn"))
            report(r, rule, p, share);
    }
}

const struct rule rule_fd_limit = {
    .id = "fd-limit",
    .meaning = "RLIMIT_NOFILE is near",
    .evidence = "count, limit, forecast",
    .severity = SEV_WARNING,
    .nkeys = 2,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
