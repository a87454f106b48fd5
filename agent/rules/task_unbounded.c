#include <math.h>

#include "engine.h"

static const struct rule_key keys[] = {
    {"warn", "count", 10,
     "users' rule of thumb: live tasks of a site for each core, while growing"},
    {"critical", "count", 100, "users' rule of thumb: for each core"},
    {"min", "count", 100, "ours: fewer are never too many"},
};

static const char *const remedy[] = {
    "bound how many run at once: a semaphore, a task group with a limit, a queue with a fixed "
    "number of "
    "workers",
    "push back on whoever asks for more than can be done",
    NULL,
};

static void report(struct rules *r, const struct rule *rule, const struct snap_task_site *t,
                   bool critical)
{
    char age[32];
    struct draft *d = draft_new(r, rule, t->pid, 0, t->site);
    d->f.severity = critical ? SEV_CRITICAL : SEV_WARNING;
    bool growing = t->growth_per_s > 0;
    draft_title(d, "%lld live tasks of %s (%s)%s", (long long)t->live,
                t->name ? t->name : "one spawn site", t->site ? t->site : "unknown",
                growing ? ", and growing" : "");
    draft_evidence(d, "live", "count", (double)t->live, "%lld live tasks on %d cores",
                   (long long)t->live, r->now->host.cpus);
    if (growing)
        draft_evidence(d, "growth", "per_s", t->growth_per_s, "growing by %.1f a second",
                       t->growth_per_s);
    draft_evidence(d, "oldest", "ns", (double)t->oldest_ns, "the oldest is at least %s old",
                   text_ns(t->oldest_ns, age, sizeof(age)));
    draft_report(r, d);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    int cores = now->host.cpus > 0 ? now->host.cpus : 1;
    if (now->tasks_total == SNAP_UNKNOWN) {
        rules_not_judged(r, rule, "no runtime whose tasks can be read");
        return;
    }
    double warn = fmax(rules_value(r, rule, "min"), rules_value(r, rule, "warn") * cores);
    double critical = fmax(warn, rules_value(r, rule, "critical") * cores);
    for (int i = 0; i < now->ntask_sites; i++) {
        const struct snap_task_site *t = &now->task_sites[i];
        if ((double)t->live > critical)
            report(r, rule, t, true);
        else if ((double)t->live > warn && isnan(t->growth_per_s))
            rules_not_judged(r, rule, "needs three windows of a spawn site's count");
        else if ((double)t->live > warn && t->growth_per_s > 0)
            report(r, rule, t, false);
    }
}

const struct rule rule_task_unbounded = {
    .id = "task-unbounded",
    .meaning = "tasks grow without limit",
    .evidence = "count by spawn site, growth, cores",
    .severity = SEV_WARNING,
    .nkeys = 3,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
