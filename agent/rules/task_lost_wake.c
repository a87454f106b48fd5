#include "task_flags.h"

static const struct rule_key keys[] = {{"after", "ns", 1 * SECOND, "tokio-console", true}};

static const char *const remedy[] = {
    "wait for the state, not for the news of it: test the condition, then wait, in a loop",
    "whoever feeds a queue tells those that wait for it when it ends, also when it fails: a last "
    "value, or queue.shutdown()",
    "clear an event before the work that it announces is looked for, not after",
    "a task that is in a group with a limit, and waits for room in it, keeps the room it has: "
    "spawn into a group of "
    "its own, or raise the limit",
    "give the wait a deadline",
    NULL,
};

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    static const struct task_words words = {
        .one = "waits for what nothing is left to give, and has done so",
        .many = "wait for what nothing is left to give, and have done so",
        .counts = task_still_lives};
    task_flags_judge(r, rule, now, TASKF_NO_WAKER, &words);
}

const struct rule rule_task_lost_wake = {
    .id = "task-lost-wake",
    .meaning = "nothing can wake it",
    .evidence = "what it waits on; no timer, no I/O, no other task that runs, no other thread",
    .severity = SEV_WARNING,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
