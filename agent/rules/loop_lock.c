#include "sums.h"

static const struct rule_key keys[] = {
    {"share", "ratio", 0.05, "ours: of the window; JFR reports waits of 20 ms"},
    {"window", "ns", 10 * SECOND, "ours"},
    {"min", "count", 2, "ours: waits of one culprit within the window"},
};

static const char *const remedy[] = {
    "shorten what the holder does under the lock, above all no I/O under it",
    "never take on the loop a lock that other threads hold for long: pass messages, or try-lock "
    "and come "
    "back",
    NULL,
};

static bool is_ours(const struct cause *c)
{
    return c->kind == CAUSE_LOCK;
}

static bool holds(const struct rules *r, const struct snap_stall *s)
{
    (void)r;
    return is_ours(&s->cause) && sums_explain(s, s->split.lock);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    sums_judge(r, rule, now, is_ours, "waits for a lock");
}

const struct rule rule_loop_lock = {
    .id = "loop-lock",
    .meaning = "waiting for a lock on the loop",
    .evidence = "lock, thread that holds it and its stack where they can be known",
    .severity = SEV_WARNING,
    .nkeys = 3,
    .keys = keys,
    .remedy = remedy,
    .check = check,
    .holds = holds,
};
