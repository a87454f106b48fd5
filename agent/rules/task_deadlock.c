#include "../snapshot/cycle.h"
#include "task_flags.h"

#include <math.h>
#include <stdio.h>

static const struct rule_key keys[] = {
    {"after", "ns", 1 * SECOND, "CPython's pstree exits here", true}};

static const char *const remedy[] = {
    "break the cycle: one of them must not await the other",
    "take locks in one order everywhere",
    NULL,
};

static void draw(struct draft *d, const struct snap *now, const struct snap_task *t)
{
    char text[600] = "";
    const char *names[CYCLE_MAX];
    size_t used = 0;
    int n = cycle_names(now, t, names);
    for (int i = 0; i < n && used < sizeof(text); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? " -> " : "",
                                 names[i]);
    if (used > 0)
        draft_evidence(d, "cycle", "", NAN, "%s", text);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    static const struct task_words words = {.one = "waits for itself through others",
                                            .many = "wait for each other",
                                            .counts = task_still_lives,
                                            .more = draw};
    task_flags_judge(r, rule, now, TASKF_CYCLE, &words);
}

const struct rule rule_task_deadlock = {
    .id = "task-deadlock",
    .meaning = "tasks wait for each other",
    .evidence = "the cycle",
    .severity = SEV_CRITICAL,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
