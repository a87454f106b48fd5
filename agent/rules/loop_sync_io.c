#include "sums.h"

static const struct rule_key keys[] = {
    {"share", "ratio", 0.05, "ours: of the window, in calls too short to be stalls"},
    {"window", "ns", 10 * SECOND, "ours"},
    {"min", "count", 5, "ours: calls of one culprit within the window"},
};

static const char *const remedy[] = {
    "use the asynchronous form of the call (uv_fs_*, fs.promises, asyncio streams, aiofiles), or "
    "hand it "
    "to a thread pool",
    "open sockets and pipes with O_NONBLOCK and wait for them in the loop's own poll",
    NULL,
};

static bool is_ours(const struct cause *c)
{
    return c->kind == CAUSE_SYSCALL && !c->is_log;
}

static bool holds(const struct rules *r, const struct snap_stall *s)
{
    (void)r;
    return s->cause.kind == CAUSE_SYSCALL && sums_explain(s, s->split.syscall);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    sums_judge(r, rule, now, is_ours, "blocking calls");
}

const struct rule rule_loop_sync_io = {
    .id = "loop-sync-io",
    .meaning = "blocking system call on the loop",
    .evidence = "system call, its length, path or peer, missing O_NONBLOCK",
    .severity = SEV_WARNING,
    .nkeys = 3,
    .keys = keys,
    .remedy = remedy,
    .check = check,
    .holds = holds,
};
