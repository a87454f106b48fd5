#include "task_flags.h"

static const struct rule_key keys[] = {
    {"after", "ns", 0 * SECOND, "tokio-console: over half of 100 wakes", true},
    {"share", "ratio", 0.5, "tokio-console: of its wakes"},
    {"min", "count", 3, "ours: looks that met 100 wakes and more"},
    {"window", "ns", 60 * SECOND, "ours"},
};

static const char *const remedy[] = {
    "wait for the event instead of asking again and again (sleep(0), yield in a loop)",
    NULL,
};

static void report(struct rules *r, const struct rule *rule, const struct snap_task_site *s,
                   int64_t looks, int64_t own)
{
    const char *site = s->site ? s->site : "an unknown site";
    double share = (double)own / (double)looks;
    struct draft *d = draft_new(r, rule, s->pid, 0, site);
    draft_title(d, "tasks of %s keep waking themselves (spawned at %s)",
                s->name ? s->name : "one spawn site", site);
    struct task_ref ref = {"", s->name, s->site, NULL};
    snap_copy_task_ref(d->box, &d->f.task, &ref);
    draft_evidence(
        d, "share", "ratio", share,
        "at %lld of %lld looks, each after 100 wakes and more, it had only given way to others",
        (long long)own, (long long)looks);
    draft_report(r, d);
}

// By site, not by task: one that spins for a part of each second may be asleep whenever a picture is taken.
static bool by_site(struct rules *r, const struct rule *rule, const struct snap *now)
{
    bool found = false;
    for (int i = 0; i < now->ntask_sites; i++) {
        const struct snap_task_site *s = &now->task_sites[i];
        if (s->busy_looks == SNAP_UNKNOWN)
            continue;
        int64_t looks = rules_recent(r, rule, s->pid, s->site, "looks", s->busy_looks);
        int64_t own = rules_recent(r, rule, s->pid, s->site, "own", s->self_wakes);
        if ((double)looks >= rules_value(r, rule, "min") &&
            (double)own > rules_value(r, rule, "share") * (double)looks) {
            report(r, rule, s, looks, own);
            found = true;
        }
    }
    return found;
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    static const struct task_words words = {.one = "keeps waking itself",
                                            .many = "keep waking themselves"};
    if (!by_site(r, rule, now))
        task_flags_judge(r, rule, now, TASKF_SELF_WAKING, &words);
}

const struct rule rule_task_self_wake = {
    .id = "task-self-wake",
    .meaning = "keeps rescheduling itself",
    .evidence = "share and rate of its own wakes",
    .severity = SEV_INFO,
    .nkeys = 4,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
