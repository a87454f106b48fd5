#include "task_flags.h"

static const struct rule_key keys[] = {{"after", "ns", 1 * SECOND, "python/asyncio#107", true}};

static const char *const remedy[] = {
    "let the timeout cancel the work and wait for its end (asyncio.timeout, wait_for without "
    "shield, ls_await_for)",
    "shield only what must finish, and await it somewhere",
    "gather leaves the others running when one fails: asyncio.TaskGroup, or a group of ours, "
    "cancels them and waits",
    NULL,
};

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    static const struct task_words words = {
        .one = "runs on although whoever awaited it has given up",
        .many = "run on although whoever awaited them has given up",
        .counts = task_still_lives};
    task_flags_judge(r, rule, now, TASKF_TIMED_OUT, &words);
}

const struct rule rule_task_timeout_runs_on = {
    .id = "task-timeout-runs-on",
    .meaning = "the waiter timed out, the task still works",
    .evidence = "since when nobody waits, where the task is",
    .severity = SEV_WARNING,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
