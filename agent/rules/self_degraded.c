#include "engine.h"

static const struct rule_key keys[] = {
    {"share", "ratio", 0.01, "OpenTelemetry's profiler limits: of one core"},
    {"after", "ns", 5 * SECOND, "ours: attaching costs more than watching"},
    {"window", "ns", 60 * SECOND, "ours"},
};

static const char *const remedy[] = {
    "watch fewer processes at a time, or raise --threshold",
    "leave out --exact, --fd-stacks and --gc-walk",
    NULL,
};

static void report_lost(struct rules *r, const struct rule *rule, int64_t lost)
{
    struct draft *d = draft_new(r, rule, 0, 0, "lost");
    draft_title(d, "loopscope lost %lld records: figures of that time are too low",
                (long long)lost);
    draft_evidence(d, "lost", "count", (double)lost, "%lld records were lost since the last look",
                   (long long)lost);
    draft_report(r, d);
}

static void report_cpu(struct rules *r, const struct rule *rule, const struct snap_agent *a)
{
    struct draft *d = draft_new(r, rule, 0, 0, "cpu");
    draft_title(d, "loopscope itself takes %.1f %% of a core", a->cpu_ratio * 100);
    draft_evidence(d, "cpu", "ratio", a->cpu_ratio, "%.2f %% of a core over the last minute",
                   a->cpu_ratio * 100);
    draft_evidence(d, "memory", "bytes", (double)a->rss_bytes, "%.1f MB of memory of its own",
                   (double)a->rss_bytes / 1e6);
    draft_report(r, d);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    int64_t after = rules_ns(r, rule, "after"), window = rules_ns(r, rule, "window");
    if (now->now_ns < after) {
        r->lost_before = now->agent.lost_records;
        rules_not_judged(r, rule, "judged from 5 s after the attach");
        return;
    }
    int64_t lost = now->agent.lost_records - r->lost_before;
    if (lost > 0) {
        r->lost_before = now->agent.lost_records;
        report_lost(r, rule, lost);
    }
    if (now->now_ns < after + window)
        rules_not_judged(r, rule, "needs a minute of our own cost");
    else if (now->agent.cpu_ratio > rules_value(r, rule, "share"))
        report_cpu(r, rule, &now->agent);
}

const struct rule rule_self_degraded = {
    .id = "self-degraded",
    .meaning = "our own data or cost is bad",
    .evidence = "lost records, torn stacks, own CPU and memory",
    .severity = SEV_INFO,
    .nkeys = 3,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
