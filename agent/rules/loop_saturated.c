#include "engine.h"

#define TURNS_MIN 20 // fewer turns in the window: then it is one block that fills it

static const struct rule_key keys[] = {
    {"share", "ratio", 0.95, "clinic; cpython#101946: busy share of the window"},
    {"warn", "ns", 50 * MS, "ours: turn p99 from which saturation is felt"},
    {"window", "ns", 10 * SECOND, "ours"},
};

static const char *const remedy[] = {
    "no single callback is to blame: the loop has more work than one thread can do",
    "spread it over more loops (processes, worker threads), or shed load",
    NULL,
};

static void report(struct rules *r, const struct rule *rule, const struct snap_loop *l, bool felt)
{
    const struct loop_window *w = &l->window;
    char p99[32], span[32];
    text_ns(w->turn_p99_ns, p99, sizeof(p99));
    text_ns(w->window_ns, span, sizeof(span));
    struct draft *d = draft_new(r, rule, l->pid, l->tid, "");
    d->f.severity = felt ? SEV_WARNING : SEV_INFO;
    d->f.cause.kind = CAUSE_CPU_USER;
    d->f.cause.ratio = l->busy_ratio;
    d->f.stack = snap_hold(d->box, w->busy_stack);
    draft_title(d, "loop saturated: busy %.0f %% of %s in %lld turns, turn p99 %s",
                l->busy_ratio * 100, span, (long long)w->turns, p99);
    draft_evidence(d, "busy", "ratio", l->busy_ratio, "%.1f %% of %s away from its poll",
                   l->busy_ratio * 100, span);
    draft_evidence(d, "turn_p99", "ns", (double)w->turn_p99_ns,
                   felt ? "99 %% of the turns took at most %s: whoever arrives waits that long"
                        : "99 %% of the turns took at most %s: busy, and still in time",
                   p99);
    draft_report(r, d);
}

// Then loop-spin says what there is to say.
static bool spins(const struct snap_loop *l)
{
    return 2 * l->window.polls_empty > l->window.turns;
}

static bool one_block_fills_it(const struct snap_loop *l)
{
    return l->blocked_ns > 0 || l->window.turns < TURNS_MIN ||
           4 * l->window.turn_max_ns > l->window.window_ns;
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    for (int i = 0; i < now->nloops; i++) {
        const struct snap_loop *l = &now->loops[i];
        if (!l->judged)
            continue;
        // A reading a little late or early is still the window.
        if (l->window.window_ns < rules_ns(r, rule, "window") * 9 / 10) {
            rules_not_judged(r, rule, "needs 10 s of a loop's turns");
            continue;
        }
        if (l->busy_ratio >= rules_value(r, rule, "share") && !one_block_fills_it(l) && !spins(l))
            report(r, rule, l, l->window.turn_p99_ns >= rules_ns(r, rule, "warn"));
    }
}

const struct rule rule_loop_saturated = {
    .id = "loop-saturated",
    .meaning = "many small callbacks, no single culprit",
    .evidence = "busy share, turn p99",
    .severity = SEV_INFO,
    .nkeys = 3,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
