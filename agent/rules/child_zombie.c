#include "engine.h"

static const struct rule_key keys[] = {
    {"warn", "count", 5, "ours"},
    {"after", "ns", 60 * SECOND, "ours", true},
};

static const char *const remedy[] = {
    "wait for every child: waitpid in the SIGCHLD handler, uv_spawn's exit callback, "
    "await process.wait()",
    "or let the kernel reap them: sigaction(SIGCHLD) with SA_NOCLDWAIT",
    NULL,
};

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    char age[32];
    for (int i = 0; i < now->nprocesses; i++) {
        const struct snap_process *p = &now->processes[i];
        if (p->zombies == SNAP_UNKNOWN || p->zombie_oldest_ns == SNAP_UNKNOWN ||
            (double)p->zombies < rules_value(r, rule, "warn") ||
            p->zombie_oldest_ns < rules_ns(r, rule, "after"))
            continue;
        struct draft *d = draft_new(r, rule, p->pid, 0, "");
        text_ns(p->zombie_oldest_ns, age, sizeof(age));
        draft_title(d, "%lld ended children were never reaped, for %s and more (%s)",
                    (long long)p->zombies, age, p->zombie_command ? p->zombie_command : "?");
        draft_evidence(d, "zombies", "count", (double)p->zombies, "%lld zombies, one of them %s",
                       (long long)p->zombies, p->zombie_command ? p->zombie_command : "?");
        draft_evidence(d, "oldest", "ns", (double)p->zombie_oldest_ns,
                       "there have been some for at least %s", age);
        draft_report(r, d);
    }
}

const struct rule rule_child_zombie = {
    .id = "child-zombie",
    .meaning = "children never reaped",
    .evidence = "count, oldest, command",
    .severity = SEV_WARNING,
    .nkeys = 2,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
