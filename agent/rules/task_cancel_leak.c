// Where the task that opened a descriptor is known, read at the opening itself, the descriptors of ended tasks are
// counted: when most tasks of the site end by being cancelled, that is how they come to leave them open. Until it
// is known, one thing tells from outside: descriptors that stay open at the pace at which tasks of one site are
// cancelled, while the number of live tasks does not rise.
#include <math.h>

#include <string.h>

#include "engine.h"

static const struct rule_key keys[] = {
    {"warn", "count", 5, "ours: cancelled tasks of a site within the window"},
    {"share", "ratio", 0.2, "ours: how far the two counts may differ"},
    {"window", "ns", 60 * SECOND, "ours"},
    {"after", "ns", 1 * SECOND, "ours: unused for so long since the task's end", true},
    {"cancelled", "ratio", 0.5, "ours: of the site's ended tasks"},
};

static const char *const remedy[] = {
    "hand what a task opens to its scope at once, before the next await: ls_own_fd, ls_defer, a "
    "with block, "
    "try/finally",
    "a cancel arrives at any await point: everything between the opening and the closing must bear "
    "it",
    NULL,
};

struct pace { // within the window
    int64_t cancelled, fds, live;
};

static bool agrees(const struct rules *r, const struct rule *rule, const struct pace *p)
{
    double share = rules_value(r, rule, "share");
    if ((double)p->cancelled < rules_value(r, rule, "warn") || p->live > p->cancelled / 4)
        return false;
    for (int each = 1; each <= 4; each++) // descriptors a task
        if (fabs((double)p->fds - (double)p->cancelled * each) <=
            fmax(1, share * (double)p->cancelled))
            return true;
    return false;
}

// The site of descriptors that has kept as many open.
static const struct snap_fd_site *opened_at(const struct snap *now, int pid, int64_t leaked)
{
    for (int i = 0; i < now->nfds; i++) {
        const struct snap_fd_site *f = &now->fds[i];
        if (f->pid == pid && f->stack && f->open != SNAP_UNKNOWN && f->open * 2 >= leaked)
            return f;
    }
    return NULL;
}

static void report(struct rules *r, const struct rule *rule, const struct snap *now,
                   const struct snap_task_site *s, const struct pace *p)
{
    char culprit[CULPRIT_TEXT];
    const char *site = s->site ? s->site : "an unknown site";
    struct draft *d = draft_new(r, rule, s->pid, 0, site);
    const struct snap_fd_site *f = opened_at(now, s->pid, p->fds);
    draft_title(d,
                "cancelled tasks of %s leave descriptors open: %lld more for %lld cancelled "
                "(spawned at %s)",
                s->name ? s->name : "one spawn site", (long long)p->fds, (long long)p->cancelled,
                site);
    struct task_ref ref = {"", s->name, s->site, NULL};
    snap_copy_task_ref(d->box, &d->f.task, &ref);
    d->f.confidence = 0.7;
    draft_evidence(d, "cancelled", "count", (double)p->cancelled,
                   "%lld tasks of this site were cancelled", (long long)p->cancelled);
    draft_evidence(d, "descriptors", "count", (double)p->fds,
                   "%lld more descriptors are open in the same time, and no more tasks",
                   (long long)p->fds);
    if (f) {
        d->f.stack = snap_hold(d->box, f->stack);
        draft_evidence(d, "opened", "", NAN, "opened by %s",
                       text_culprit(f->stack, culprit, sizeof(culprit)));
    } else {
        draft_evidence(d, "opened", "", NAN,
                       "where they were opened is not known yet (--fd-stacks follows it)");
    }
    draft_report(r, d);
}

// ---- exact: descriptors whose opener has ended ----

static bool ends_by_cancel(const struct rules *r, const struct rule *rule,
                           const struct snap_task_site *s)
{
    double ended = (double)(s->cancelled + s->completed + s->failed);
    return (double)s->cancelled >= rules_value(r, rule, "cancelled") * ended;
}

static const struct snap_fd_site *left_open_by(struct rules *r, const struct rule *rule,
                                               const struct snap *now,
                                               const struct snap_task_site *s)
{
    for (int i = 0; i < now->nfds; i++) {
        const struct snap_fd_site *f = &now->fds[i];
        if (f->pid == s->pid && f->task.spawn_site && s->site && f->orphans > 0 &&
            f->orphan_oldest_ns >= rules_ns(r, rule, "after") &&
            strcmp(f->task.spawn_site, s->site) == 0)
            return f;
    }
    return NULL;
}

static void report_exact(struct rules *r, const struct rule *rule, const struct snap_task_site *s,
                         const struct snap_fd_site *f)
{
    char culprit[CULPRIT_TEXT], oldest[32];
    struct draft *d = draft_new(r, rule, s->pid, 0, s->site);
    draft_title(d, "%lld %s descriptor%s left open by cancelled tasks of %s (spawned at %s)",
                (long long)f->orphans, f->kind ? f->kind : "", f->orphans == 1 ? " was" : "s were",
                s->name ? s->name : "one spawn site", s->site);
    struct task_ref ref = {f->task.id ? f->task.id : "", s->name, s->site, NULL};
    snap_copy_task_ref(d->box, &d->f.task, &ref);
    d->f.stack = snap_hold(d->box, f->stack);
    draft_evidence(d, "descriptors", "count", (double)f->orphans,
                   "%lld descriptors of %lld ended tasks are open and unused, the oldest for %s "
                   "since its task's end",
                   (long long)f->orphans, (long long)f->orphan_tasks,
                   text_ns(f->orphan_oldest_ns, oldest, sizeof(oldest)));
    draft_evidence(d, "cancelled", "count", (double)s->cancelled,
                   "%lld tasks of this site were cancelled, %lld ended otherwise",
                   (long long)s->cancelled, (long long)(s->completed + s->failed));
    if (f->stack)
        draft_evidence(d, "opened", "", NAN, "opened by %s",
                       text_culprit(f->stack, culprit, sizeof(culprit)));
    if (f->examples)
        draft_evidence(d, "examples", "", NAN, "among them %s", f->examples);
    draft_report(r, d);
}

static int64_t live_of(const struct snap *now, int pid)
{
    const struct snap_process *p = snap_process_of(now, pid);
    return p && p->ntasks != SNAP_UNKNOWN ? p->ntasks : 0;
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    if (now->tasks_total == SNAP_UNKNOWN) {
        rules_not_judged(r, rule, "no runtime whose tasks can be read");
        return;
    }
    for (int i = 0; i < now->ntask_sites; i++) {
        const struct snap_task_site *s = &now->task_sites[i];
        const struct snap_process *p = snap_process_of(now, s->pid);
        if (s->cancelled == SNAP_UNKNOWN || s->cancelled == 0 || !p || p->fd_count == SNAP_UNKNOWN)
            continue;
        const struct snap_fd_site *left =
            ends_by_cancel(r, rule, s) ? left_open_by(r, rule, now, s) : NULL;
        if (left) {
            report_exact(r, rule, s, left);
            continue;
        }
        struct pace pace = {
            .cancelled = rules_recent(r, rule, s->pid, s->site, "cancelled", s->cancelled),
            .fds = rules_recent(r, rule, s->pid, s->site, "fds", p->fd_count),
            .live = rules_recent(r, rule, s->pid, s->site, "live", live_of(now, s->pid))};
        if (agrees(r, rule, &pace))
            report(r, rule, now, s, &pace);
    }
}

const struct rule rule_task_cancel_leak = {
    .id = "task-cancel-leak",
    .meaning = "cancelled task left resources open",
    .evidence =
        "descriptors of cancelled tasks that are open and unused, with their opening stack; or "
        "as many that stay as tasks are cancelled",
    .severity = SEV_WARNING,
    .nkeys = 5,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
