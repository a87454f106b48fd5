#include "task_flags.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAMED_MAX 3 // examples in the evidence

bool task_is_over(const struct snap_task *t)
{
    return t->state == TASK_DONE || t->state == TASK_FAILED || t->state == TASK_CANCELLED;
}

bool task_still_lives(const struct snap *now, const struct snap_task *t)
{
    (void)now;
    return !task_is_over(t);
}

struct group { // the tasks of one site that are due
    const struct snap_task *oldest, *example[NAMED_MAX];
    int count;
    int64_t held_ns;
};

static const char *site_of(const struct snap_task *t)
{
    return t->spawn_site ? t->spawn_site : "an unknown site";
}

static bool is_due(struct rules *r, const struct rule *rule, const struct snap *now,
                   const struct snap_task *t, unsigned flag, const struct task_words *w,
                   int64_t *held_ns)
{
    if (!(t->flags & flag) || (t->flags & TASKF_UNSTABLE) || (w->counts && !w->counts(now, t)))
        return false;
    int64_t after = rules_ns(r, rule, "after");
    *held_ns = rules_held_ns(r, rule, t->pid, t->id);
    // Snapshots may repeat one reading of the tasks: only a later one shows that this one is still there.
    return *held_ns >= after && (t->age_ns == SNAP_UNKNOWN || t->age_ns >= after);
}

static void put_tasks(struct draft *d, const struct group *g)
{
    char age[32], names[300] = "";
    size_t used = 0;
    const struct snap_task *t = g->oldest;
    for (int i = 0; i < NAMED_MAX && g->example[i] && used < sizeof(names); i++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
                                 g->example[i]->name ? g->example[i]->name : g->example[i]->id);
    draft_evidence(d, "tasks", "count", g->count, "%d task%s: %s%s", g->count,
                   g->count == 1 ? "" : "s", names, g->count > NAMED_MAX ? ", ..." : "");
    draft_evidence(d, "age", "ns", (double)t->age_ns, "the oldest has been there for at least %s",
                   text_ns(t->age_ns, age, sizeof(age)));
    if (t->await_site)
        draft_evidence(d, "awaits", "", NAN, "it is at %s%s%s", t->await_site,
                       t->waits_on ? ", waiting for " : "", t->waits_on ? t->waits_on : "");
    if (t->error)
        draft_evidence(d, "error", "", NAN, "its error: %s", t->error);
}

static void report(struct rules *r, const struct rule *rule, const struct group *g,
                   const struct task_words *w)
{
    const struct snap_task *t = g->oldest;
    struct draft *d = draft_new(r, rule, t->pid, 0, site_of(t));
    char held[32];
    text_ns(g->held_ns, held, sizeof(held));
    if (g->count == 1)
        draft_title(d, "task %s %s for %s (spawned at %s)", t->name ? t->name : t->id, w->one, held,
                    site_of(t));
    else
        draft_title(d, "%d tasks %s for up to %s (spawned at %s)", g->count, w->many, held,
                    site_of(t));
    struct task_ref ref = {t->id, t->name, t->spawn_site, t->await_site};
    snap_copy_task_ref(d->box, &d->f.task, &ref);
    d->f.stack = snap_hold(d->box, t->chain);
    d->f.duration_ns = g->held_ns;
    d->f.duration_is_lower_bound = true;
    put_tasks(d, g);
    if (w->more)
        w->more(d, r->now, t);
    draft_report(r, d);
}

static struct group collect(struct rules *r, const struct rule *rule, const struct snap *now,
                            int from, unsigned flag, const struct task_words *w, bool *taken)
{
    struct group g = {0};
    const struct snap_task *first = &now->tasks[from];
    int64_t held;
    for (int i = from; i < now->ntasks; i++) {
        const struct snap_task *t = &now->tasks[i];
        if (taken[i] || t->pid != first->pid || strcmp(site_of(t), site_of(first)) != 0)
            continue;
        taken[i] = true;
        if (!is_due(r, rule, now, t, flag, w, &held))
            continue;
        if (g.count < NAMED_MAX)
            g.example[g.count] = t;
        g.count++;
        if (!g.oldest || t->age_ns > g.oldest->age_ns)
            g.oldest = t;
        if (held > g.held_ns)
            g.held_ns = held;
    }
    return g;
}

void task_flags_judge(struct rules *r, const struct rule *rule, const struct snap *now,
                      unsigned flag, const struct task_words *words)
{
    if (now->tasks_total == SNAP_UNKNOWN) {
        rules_not_judged(r, rule, "no runtime whose tasks can be read");
        return;
    }
    bool *taken = snap_alloc(r->now, (size_t)now->ntasks + 1);
    for (int i = 0; i < now->ntasks; i++) {
        if (taken[i] || !(now->tasks[i].flags & flag))
            continue;
        struct group g = collect(r, rule, now, i, flag, words, taken);
        if (g.count > 0)
            report(r, rule, &g, words);
    }
}
