#include "sums.h"

static const struct rule_key keys[] = {
    {"share", "ratio", 0.01, "ours: of the window, in calls too short to be stalls"},
    {"window", "ns", 10 * SECOND, "ours"},
    {"min", "count", 5, "ours: calls of one culprit within the window"},
};

static const char *const remedy[] = {
    "log through a bounded queue and a writer thread (QueueHandler and QueueListener, pino's "
    "transport, "
    "ls_log)",
    "drop and count records rather than wait when the log's reader is slow",
    NULL,
};

static bool is_ours(const struct cause *c)
{
    return c->kind == CAUSE_SYSCALL && c->is_log;
}

static bool holds(const struct rules *r, const struct snap_stall *s)
{
    (void)r;
    return is_ours(&s->cause) && sums_explain(s, s->split.syscall);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    sums_judge(r, rule, now, is_ours, "blocking log writes");
}

const struct rule rule_loop_sync_log = {
    .id = "loop-sync-log",
    .meaning = "blocking write to a log or terminal on the loop",
    .evidence = "fd 1 or 2, terminal, log file, syslog socket or full pipe, and how long",
    .severity = SEV_WARNING,
    .nkeys = 3,
    .keys = keys,
    .remedy = remedy,
    .check = check,
    .holds = holds,
};
