#include "task_flags.h"

static const struct rule_key keys[] = {
    {"after", "ns", 0 * SECOND, "console#150: waits of 30 s and more", true}};

static const char *const remedy[] = {
    "give the wait a deadline",
    "look at what it waits for: the peer or lock it names",
    NULL,
};

// One task, one finding: what is wrong with it in a plainer way says more.
static bool counts(const struct snap *now, const struct snap_task *t)
{
    (void)now;
    return !(t->flags & (TASKF_ORPHANED | TASKF_CANCEL_REQUESTED | TASKF_TIMED_OUT | TASKF_CYCLE |
                         TASKF_NO_WAKER));
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    static const struct task_words words = {
        .one = "waits ten times as long as its peers, and has been seen so",
        .many = "wait ten times as long as their peers, and have been seen so",
        .counts = counts};
    task_flags_judge(r, rule, now, TASKF_STUCK, &words);
}

const struct rule rule_task_stuck = {
    .id = "task-stuck",
    .meaning = "one wait far above its peers",
    .evidence = "how long it waits, at least ten times what nine in ten took: of its spawn site, "
                "or of those that waited where it waits",
    .severity = SEV_WARNING,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
