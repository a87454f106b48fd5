#include "task_counts.h"

#include <math.h>

#define WINDOW_NS (60 * SECOND)

static void report(struct rules *r, const struct rule *rule, const struct snap_task_site *s,
                   int64_t n, const struct count_words *w)
{
    const char *name = s->name ? s->name : "a task";
    struct draft *d = draft_new(r, rule, s->pid, 0, s->site ? s->site : "an unknown site");
    const char *error = w->error && s->last_error ? s->last_error : NULL;
    draft_title(d, "%lld task%s %s %s%s%s (spawned at %s)", (long long)n, n == 1 ? "" : "s", name,
                n == 1 ? w->one : w->many, error ? ": " : "", error ? error : "",
                s->site ? s->site : "an unknown site");
    struct task_ref ref = {"", s->name, s->site, NULL};
    snap_copy_task_ref(d->box, &d->f.task, &ref);
    draft_evidence(d, w->counter, "count", (double)n,
                   "%lld within the last minute, %lld since the program began", (long long)n,
                   (long long)w->count(s));
    if (s->spawned != SNAP_UNKNOWN)
        draft_evidence(d, "spawned", "count", (double)s->spawned,
                       "%lld tasks were spawned there in all", (long long)s->spawned);
    if (error)
        draft_evidence(d, "error", "", NAN, "the newest error of this site is %s", error);
    draft_report(r, d);
}

bool task_counts_judge(struct rules *r, const struct rule *rule, const struct snap *now,
                       const struct count_words *w)
{
    bool found = false;
    for (int i = 0; i < now->ntask_sites; i++) {
        const struct snap_task_site *s = &now->task_sites[i];
        int64_t count = w->count(s);
        if (count == SNAP_UNKNOWN || count < 0)
            continue;
        int64_t n = rules_recent(r, rule, s->pid, s->site, w->counter, count);
        if (n <= 0)
            continue;
        report(r, rule, s, n, w);
        found = true;
    }
    return found;
}
