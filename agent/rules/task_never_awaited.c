#include "task_counts.h"
#include "task_flags.h"

static const struct rule_key keys[] = {{"after", "ns", 1 * SECOND, "asyncio", true},
                                       {"window", "ns", 60 * SECOND, "ours: of those destroyed"}};

static const char *const remedy[] = {
    "await it, or hand it to create_task and keep the task; a coroutine that is only called does "
    "nothing",
    "turn on the runtime's warnings for it (PYTHONASYNCIODEBUG=1, -Wunused-result)",
    NULL,
};

static bool counts(const struct snap *now, const struct snap_task *t)
{
    if (t->flags & TASKF_ORPHANED) // nothing at all is left that holds it: task-orphan says more
        return false;
    // While the loop is blocked nothing can start: that is the block's fault.
    for (int i = 0; i < now->nloops; i++)
        if (now->loops[i].pid == t->pid && now->loops[i].blocked_ns > 0)
            return false;
    return true;
}

static int64_t count(const struct snap_task_site *s)
{
    return s->never_awaited;
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    // An asyncio task that only its timer or socket holds is awaited by nobody either, and may vanish at any moment.
    static const struct task_words words = {.one = "has not been awaited or never ran",
                                            .many = "have not been awaited or never ran",
                                            .counts = counts};
    static const struct count_words destroyed = {.counter = "never_awaited",
                                                 .count = count,
                                                 .one = "was never awaited",
                                                 .many = "were never awaited"};
    if (!task_counts_judge(r, rule, now, &destroyed))
        task_flags_judge(r, rule, now, TASKF_NEVER_AWAITED | TASKF_NEVER_STARTED | TASKF_UNHELD,
                         &words);
}

const struct rule rule_task_never_awaited = {
    .id = "task-never-awaited",
    .meaning = "created, never started or never awaited",
    .evidence = "creation site, age",
    .severity = SEV_WARNING,
    .nkeys = 2,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
