// The descriptor outlives the task that opened it. That needs no statistics, but one alone may have been handed
// on: to whoever awaited the task, or to a pool. What is in use, or waited on by another task, is not counted
// (target/fd_picture.c); and it must happen again, in another task that ends later.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

static const struct rule_key keys[] = {
    {"after", "ns", 1 * SECOND, "ours: unused for so long since the task's end", true},
    {"tasks", "count", 2, "ours: one may have handed it on"},
    {"cancelled", "ratio", 0.5,
     "ours: of the site's ended tasks; from there it is task-cancel-leak's"},
};

static const char *const remedy[] = {
    "hand it to the task's scope when it is opened, so that every way out closes it: ls_own_fd, "
    "ls_defer",
    "where it is meant to live longer, let the owner open it, or take it out of the scope "
    "(ls_disown_fd)",
    NULL,
};

static const struct snap_task_site *site_of(const struct snap *now, const struct snap_fd_site *s)
{
    for (int i = 0; i < now->ntask_sites; i++)
        if (now->task_sites[i].pid == s->pid && now->task_sites[i].site &&
            strcmp(now->task_sites[i].site, s->task.spawn_site) == 0)
            return &now->task_sites[i];
    return NULL;
}

// Most tasks of the site are cancelled: then that is how they come to leave it open.
static bool is_by_cancel(const struct rules *r, const struct rule *rule,
                         const struct snap_fd_site *s)
{
    const struct snap_task_site *t = site_of(r->now, s);
    if (!t || t->cancelled == SNAP_UNKNOWN || t->completed == SNAP_UNKNOWN)
        return false;
    double ended = (double)(t->cancelled + t->completed + t->failed);
    return ended > 0 && (double)t->cancelled >= rules_value(r, rule, "cancelled") * ended;
}

static bool holds(const struct rules *r, const struct rule *rule, const struct snap_fd_site *s)
{
    int64_t after = rules_ns(r, rule, "after");
    double tasks = rules_value(r, rule, "tasks");
    return s->task.spawn_site && s->orphans > 0 && (double)s->orphan_tasks >= tasks &&
           s->orphan_oldest_ns >= after && (tasks < 2 || s->orphan_span_ns >= after) &&
           !is_by_cancel(r, rule, s);
}

static void report(struct rules *r, const struct rule *rule, const struct snap_fd_site *s)
{
    char key[CULPRIT_TEXT + 300], culprit[CULPRIT_TEXT], oldest[32];
    text_culprit(s->stack, culprit, sizeof(culprit));
    snprintf(key, sizeof(key), "%s|%s|%.200s", s->kind ? s->kind : "", s->task.spawn_site, culprit);
    struct draft *d = draft_new(r, rule, s->pid, 0, key);
    draft_title(
        d, "%lld %s descriptors opened by %s are still open though %s, spawned at %s, has ended",
        (long long)s->orphans, s->kind, culprit[0] ? culprit : "a task",
        s->task.name ? s->task.name : "its task", s->task.spawn_site);
    draft_opener(d, &s->task);
    d->f.stack = snap_hold(d->box, s->stack);
    d->f.duration_ns = s->orphan_oldest_ns;
    draft_evidence(
        d, "orphans", "count", (double)s->orphans,
        "%lld descriptors of %lld tasks that have ended, unused since, and no task waits on them",
        (long long)s->orphans, (long long)s->orphan_tasks);
    draft_evidence(d, "oldest", "ns", (double)s->orphan_oldest_ns,
                   "the first of these tasks ended %s ago",
                   text_ns(s->orphan_oldest_ns, oldest, sizeof(oldest)));
    draft_evidence(d, "open", "count", (double)s->open, "%lld opened here, %lld closed, %lld open",
                   (long long)s->opened, (long long)s->closed, (long long)s->open);
    if (s->examples)
        draft_evidence(d, "examples", "", NAN, "among them %s", s->examples);
    draft_report(r, d);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    bool known = false;
    for (int i = 0; i < now->nfds; i++) {
        known |= now->fds[i].task_open != SNAP_UNKNOWN;
        if (holds(r, rule, &now->fds[i]))
            report(r, rule, &now->fds[i]);
    }
    if (now->nfds > 0 && !known)
        rules_not_judged(r, rule, "no runtime that tells which task opens a descriptor");
}

const struct rule rule_fd_orphan = {
    .id = "fd-orphan",
    .meaning = "the task that opened it has ended",
    .evidence = "descriptors, their tasks and where these were spawned, opening stack, since when",
    .severity = SEV_WARNING,
    .nkeys = sizeof(keys) / sizeof(*keys),
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
