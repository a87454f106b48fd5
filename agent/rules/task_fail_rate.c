#include "engine.h"

static const struct rule_key keys[] = {
    {"warn", "count", 10, "users' rule: failures of a site within the window"},
    {"share", "ratio", 0.05, "users' rule: of those that ended"},
    {"min", "count", 20, "ours: fewer ends make no share"},
    {"window", "ns", 60 * SECOND, "users' rule", true},
};

static const char *const remedy[] = {
    "read the error: most failures of one site have one cause",
    "retry with a pause that grows, and stop asking a service that is down (circuit breaker)",
    NULL,
};

static void report(struct rules *r, const struct rule *rule, const struct snap_task_site *t,
                   int64_t failed, int64_t ended)
{
    char span[32];
    text_ns(rules_ns(r, rule, "window"), span, sizeof(span));
    struct draft *d = draft_new(r, rule, t->pid, 0, t->site);
    draft_title(d, "%lld of %lld tasks of %s (%s) failed within %s", (long long)failed,
                (long long)ended, t->name ? t->name : "one spawn site",
                t->site ? t->site : "unknown", span);
    draft_evidence(d, "failed", "count", (double)failed, "%lld failed within %s", (long long)failed,
                   span);
    draft_evidence(d, "share", "ratio", (double)failed / (double)ended,
                   "%.0f %% of those that ended", (double)failed * 100 / (double)ended);
    draft_report(r, d);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    if (now->tasks_total == SNAP_UNKNOWN) {
        rules_not_judged(r, rule, "no runtime whose tasks can be read");
        return;
    }
    for (int i = 0; i < now->ntask_sites; i++) {
        const struct snap_task_site *t = &now->task_sites[i];
        if (t->failed == SNAP_UNKNOWN)
            continue;
        int64_t failed = rules_recent(r, rule, t->pid, t->site, "failed", t->failed);
        int64_t ended = rules_recent(r, rule, t->pid, t->site, "ended",
                                     t->failed + t->completed + t->cancelled);
        bool many = (double)failed > rules_value(r, rule, "warn");
        bool share = (double)ended >= rules_value(r, rule, "min") &&
                     (double)failed > rules_value(r, rule, "share") * (double)ended;
        if (ended > 0 && (many || share))
            report(r, rule, t, failed, ended);
    }
}

const struct rule rule_task_fail_rate = {
    .id = "task-fail-rate",
    .meaning = "many failures",
    .evidence = "failures by site and their share",
    .severity = SEV_WARNING,
    .nkeys = 4,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
