#include "task_flags.h"

static const struct rule_key keys[] = {{"after", "ns", 5 * SECOND, "ours", true}};

static const char *const remedy[] = {
    "let CancelledError through: catch it only to clean up, then raise it again",
    "bound the clean-up itself by a deadline",
    NULL,
};

static bool counts(const struct snap *now, const struct snap_task *t)
{
    (void)now;
    // What its parent has left behind is cancelled as well: that it is an orphan says more.
    return !task_is_over(t) && !(t->flags & TASKF_ORPHANED);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    static const struct task_words words = {.one = "was cancelled and has not ended",
                                            .many = "were cancelled and have not ended",
                                            .counts = counts};
    task_flags_judge(r, rule, now, TASKF_CANCEL_REQUESTED, &words);
}

const struct rule rule_task_cancel_ignored = {
    .id = "task-cancel-ignored",
    .meaning = "cancelled, not finished",
    .evidence = "where it is, since when",
    .severity = SEV_WARNING,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
