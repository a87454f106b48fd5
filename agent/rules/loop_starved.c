#include <math.h>

#include "engine.h"

#define TURNS_FOR_P99 100 // fewer make no percentile

static const struct rule_key keys[] = {
    {"warn", "ns", 50 * MS, "runqslower: wait for a CPU, 99th percentile of the window"},
    {"share", "ratio", 0.2, "ours: of the window runnable without a CPU"},
    {"window", "ns", 10 * SECOND, "ours"},
};

static const char *const remedy[] = {
    "it was ready to run and got no CPU: see who ran instead",
    "raise its CPU quota or weight (cgroup cpu.max, cpu.weight), lower the neighbour's, or pin "
    "them apart",
    NULL,
};

// A stall's rule is settled at its first look and stays: only when the CPU was missing for most of it so far.
static bool holds(const struct rules *r, const struct snap_stall *s)
{
    (void)r;
    return s->cause.kind == CAUSE_RUNQUEUE && 3 * s->split.runqueue >= 2 * s->duration_ns;
}

static void report(struct rules *r, const struct rule *rule, const struct snap_loop *l,
                   double share)
{
    const struct loop_window *w = &l->window;
    char p99[32], span[32];
    struct known *k = rules_find(r, rule, l->pid, l->tid, "");
    if (k && k->f.open && k->stall) {
        k->held_ns = r->now->now_ns;
        return;
    }
    struct draft *d = draft_new(r, rule, l->pid, l->tid, "");
    d->f.cause.kind = CAUSE_RUNQUEUE;
    d->f.cause.ratio = share;
    text_ns(w->runqueue_p99_ns, p99, sizeof(p99));
    text_ns(w->window_ns, span, sizeof(span));
    draft_title(d, "loop starved: ready to run without a CPU for %.0f %% of %s, p99 %s%s%s",
                share * 100, span, p99, w->starved_by ? ", while there ran " : "",
                w->starved_by ? w->starved_by : "");
    draft_evidence(d, "runqueue_p99", "ns", (double)w->runqueue_p99_ns,
                   "99 %% of its waits for a CPU were at most %s", p99);
    draft_evidence(d, "runqueue_share", "ratio", share, "%.1f %% of %s was spent waiting for a CPU",
                   share * 100, span);
    if (r->now->host.steal_ratio >= 0.01)
        draft_evidence(d, "steal", "ratio", r->now->host.steal_ratio,
                       "%.0f %% of this virtual machine's CPU was stolen by its host",
                       r->now->host.steal_ratio * 100);
    draft_report(r, d);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    for (int i = 0; i < now->nloops; i++) {
        const struct snap_loop *l = &now->loops[i];
        const struct loop_window *w = &l->window;
        if (!l->judged || w->window_ns < WARM_UP_NS)
            continue;
        double share = (double)w->runqueue_ns / (double)w->window_ns;
        bool by_p99 = w->turns >= TURNS_FOR_P99 && w->runqueue_p99_ns >= rules_ns(r, rule, "warn");
        bool by_share = w->window_ns >= rules_ns(r, rule, "window") * 9 / 10 &&
                        share >= rules_value(r, rule, "share");
        if (by_p99 || by_share)
            report(r, rule, l, share);
    }
}

const struct rule rule_loop_starved = {
    .id = "loop-starved",
    .meaning = "runnable, not running",
    .evidence = "wait for a CPU (p99, share), steal, who ran instead",
    .severity = SEV_WARNING,
    .nkeys = 3,
    .keys = keys,
    .remedy = remedy,
    .check = check,
    .holds = holds,
};
