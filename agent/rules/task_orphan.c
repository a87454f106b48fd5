#include "task_flags.h"

static const struct rule_key keys[] = {{"after", "ns", 5 * SECOND, "ours", true}};

static const char *const remedy[] = {
    "keep the handle and await it, or spawn it in a group that waits for its children (TaskGroup, "
    "ls_group)",
    "if it is meant to run on its own, say so: detach it by name and give it an end",
    NULL,
};

static bool counts(const struct snap *now, const struct snap_task *t)
{
    (void)now;
    return !task_is_over(t) && !(t->flags & TASKF_DETACHED);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    static const struct task_words words = {.one = "has nobody left who could await it",
                                            .many = "have nobody left who could await them",
                                            .counts = counts};
    task_flags_judge(r, rule, now, TASKF_ORPHANED, &words);
}

const struct rule rule_task_orphan = {
    .id = "task-orphan",
    .meaning = "parent ended or handle dropped, nobody can await it",
    .evidence = "spawn site, age, where it waits",
    .severity = SEV_WARNING,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
