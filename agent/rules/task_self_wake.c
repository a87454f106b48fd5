#include "task_flags.h"

static const struct rule_key keys[] = {
    {"after", "ns", 0 * SECOND, "tokio-console: over half of 100 wakes", true}};

static const char *const remedy[] = {
    "wait for the event instead of asking again and again (sleep(0), yield in a loop)",
    NULL,
};

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    static const struct task_words words = {.one = "keeps waking itself",
                                            .many = "keep waking themselves"};
    task_flags_judge(r, rule, now, TASKF_SELF_WAKING, &words);
}

const struct rule rule_task_self_wake = {
    .id = "task-self-wake",
    .meaning = "keeps rescheduling itself",
    .evidence = "share and rate of its own wakes",
    .severity = SEV_INFO,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
