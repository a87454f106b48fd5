#include "task_counts.h"
#include "task_flags.h"

static const struct rule_key keys[] = {{"after", "ns", 60 * SECOND, "asyncio", true},
                                       {"window", "ns", 60 * SECOND, "ours: of those destroyed"}};

static const char *const remedy[] = {
    "await every task, or gather them; add a done callback that logs the exception",
    "set an exception handler on the loop, so that none is lost silently",
    NULL,
};

static int64_t count(const struct snap_task_site *s)
{
    return s->errors_unread;
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    static const struct task_words words = {.one = "failed and nobody has read its error",
                                            .many = "failed and nobody has read their errors"};
    static const struct count_words destroyed = {.counter = "errors_unread",
                                                 .count = count,
                                                 .one = "failed and its error was read by nobody",
                                                 .many =
                                                     "failed and their errors were read by nobody",
                                                 .error = true};
    if (!task_counts_judge(r, rule, now, &destroyed))
        task_flags_judge(r, rule, now, TASKF_ERROR_UNREAD, &words);
}

const struct rule rule_task_error_unread = {
    .id = "task-error-unread",
    .meaning = "failed, result unread",
    .evidence = "error, spawn site",
    .severity = SEV_WARNING,
    .nkeys = 2,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
