// Groups: tasks that are waited for together.
#include "fast.h"

#include <stdlib.h>

struct ls_group {
    struct ls_loop *loop;
    struct task *owner;
    struct list link; // in the owner's groups
    struct list tasks;
    struct list spawners; // struct waiter: held back by the limit
    struct ls_site *site;
    enum ls_group_mode mode;
    uint32_t limit, running, waiting;
    bool cancelled, closing; // closing: its owner waits for the end
    int64_t first_error;
    struct ls_group_stats stats;
};

int ls_group_open_at(struct ls_site *site, ls_group **ret, enum ls_group_mode mode, uint32_t limit)
{
    struct task *t = task_current();
    *ret = NULL;
    if (!t)
        return ls__not_in_task(site, "ls_group_open");
    ls_group *g = calloc(1, sizeof(*g));
    if (!g)
        return -ENOMEM;
    g->loop = t->loop;
    g->owner = t;
    g->site = site;
    g->mode = mode;
    g->limit = limit;
    t->untidy = true;
    list_add_head(&t->groups, &g->link);
    g->cancelled = cancel_requested(t) && t->shields == 0;
    *ret = g;
    return 0;
}

void ls__group_add(struct ls_group *g, struct task *t)
{
    g->running++;
    g->stats.spawned++;
    list_add_tail(&g->tasks, &t->sibling);
}

static void tell_owner_if_empty(struct ls_group *g)
{
    if (g->running == 0 && g->waiting == 0 && g->closing &&
        g->owner->wait_kind == LS_ABI_WAIT_GROUP && g->owner->wait_op == g)
        wake(g->loop, g->owner, 0);
}

static int wait_for_room(struct ls_group *g, struct task *t, struct ls_site *site)
{
    while (!g->cancelled && g->limit && g->running >= g->limit) {
        if (!t)
            return ls__not_in_task(site, "ls_group_spawn at its limit");
        struct wait w = {.kind = LS_ABI_WAIT_LIMIT,
                         .object = (uint64_t)(uintptr_t)g,
                         .site = site,
                         .timeout_ns = LS_FOREVER};
        g->waiting++;
        int r = ls__wait_in(&g->spawners, t, &w);
        g->waiting--;
        if (r < 0) {
            tell_owner_if_empty(g);
            return r;
        }
    }
    if (!g->cancelled)
        return 0;
    tell_owner_if_empty(g);
    return -ECANCELED;
}

ls_task ls_group_spawn_at(struct ls_site *site, ls_group *g, ls_fn fn, void *arg, int64_t *result)
{
    struct ls_loop *l = ls__loop;
    if (unlikely(!l || g->loop != l))
        return (ls_task){ls__wrong_loop(site, "ls_group_spawn")};
    int r = 0;
    if (unlikely(g->cancelled || (g->limit && g->running >= g->limit)))
        r = wait_for_room(g, l->current, site);
    if (unlikely(r < 0))
        return (ls_task){r};
    ls_task handle = ls__task_new(l, site, fn, arg, NULL, g);
    if (likely(handle.id > 0))
        task_of(l, handle)->result_at = result;
    return handle;
}

static void note_end(struct ls_group *g, const struct task *t)
{
    if (t->state == LS_ABI_DONE)
        g->stats.completed++;
    else if (t->state == LS_ABI_FAILED)
        g->stats.failed++;
    else
        g->stats.cancelled++;
}

void ls__group_task_ended(struct task *t)
{
    struct ls_group *g = t->group;
    bool failed = t->result < 0;
    note_end(g, t);
    if (t->result_at)
        *t->result_at = t->result;
    if (unlikely(failed) && g->mode == LS_FAIL_FAST && !g->first_error)
        g->first_error = t->result;
    list_unlink(&t->sibling);
    if (unlikely(t->loop->observe))
        ls__bury(t, g->site);
    ls__task_free(t);
    g->running--;
    if (unlikely(failed) && g->mode == LS_FAIL_FAST && !g->cancelled)
        ls_group_cancel_at(NULL, g);
    if (!list_empty(&g->spawners))
        ls__wake_first(&g->spawners, 0);
    else
        tell_owner_if_empty(g);
}

static void cancel_tasks(struct ls_group *g, struct list *work)
{
    g->cancelled = true;
    list_for_each(node, &g->tasks) ls__cancel_add(list_entry(node, struct task, sibling), work);
    while (ls__wake_first(&g->spawners, 0)) // they see that it is cancelled
        continue;
}

void ls__groups_add_children(struct task *owner, struct list *work)
{
    list_for_each(node, &owner->groups) cancel_tasks(list_entry(node, struct ls_group, link), work);
}

int ls_group_cancel_at(struct ls_site *site, ls_group *g)
{
    struct list work;
    if (g->loop != ls__loop)
        return ls__wrong_loop(site, "ls_group_cancel");
    list_init(&work);
    cancel_tasks(g, &work);
    ls__cancel_work(&work);
    return 0;
}

static void group_abort(struct task *t, int why)
{
    wake(t->loop, t, why);
}

// Parks the owner until no task and no spawner is left. held: whatever happens to the owner.
static int wait_until_empty(struct ls_group *g, struct ls_site *site, int64_t timeout_ns, bool held)
{
    struct wait w = {.kind = LS_ABI_WAIT_GROUP,
                     .object = (uint64_t)(uintptr_t)g,
                     .site = site,
                     .timeout_ns = timeout_ns,
                     .abort = held ? NULL : group_abort,
                     .op = g,
                     .held = held};
    int r = 0;
    g->closing = true;
    while (r == 0 && (g->running > 0 || g->waiting > 0)) {
        r = may_wait(g->owner, held, timeout_ns);
        if (r == 0)
            r = park(g->owner, &w);
    }
    return r;
}

static int64_t end_group(struct ls_group *g, struct ls_site *site, int64_t timeout_ns, bool held)
{
    int64_t r = wait_until_empty(g, site, timeout_ns, held);
    if (r < 0) {
        ls_group_cancel_at(NULL, g);
        wait_until_empty(g, site, LS_FOREVER, true);
    } else {
        r = g->first_error;
    }
    list_unlink(&g->link);
    free(g);
    return r;
}

int64_t ls_group_wait_at(struct ls_site *site, ls_group *g, int64_t timeout_ns)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_group_wait");
    if (g->owner != t)
        return ls__misuse(site, -EPERM, "ls_group_wait: the group belongs to task \"%s\"",
                          g->loop == t->loop ? ls__task_label(g->owner) : "of another loop");
    return end_group(g, site, timeout_ns, false);
}

void ls__groups_abandoned(struct task *owner)
{
    while (!list_empty(&owner->groups)) {
        struct ls_group *g = list_entry(list_first(&owner->groups), struct ls_group, link);
        ls__misuse(g->site, -ECHILD,
                   "task \"%s\" returned without ls_group_wait: the group is cancelled",
                   ls__task_label(owner));
        ls_group_cancel_at(NULL, g);
        end_group(g, NULL, LS_FOREVER, true);
        if (owner->result >= 0)
            owner->result = -ECHILD;
    }
}

int ls_group_get_stats_at(struct ls_site *site, const ls_group *g, struct ls_group_stats *ret)
{
    if (g->loop != ls__loop)
        return ls__wrong_loop(site, "ls_group_get_stats");
    *ret = g->stats;
    ret->running = g->running;
    ret->waiting = g->waiting;
    return 0;
}

int64_t ls_gather_at(struct ls_site *site, const struct ls_job *jobs, size_t n, uint32_t limit,
                     int64_t *results, int64_t timeout_ns)
{
    struct ls_group *g;
    struct ls_deadline bound;
    int64_t r = ls_group_open_at(site, &g, LS_COLLECT_ALL, limit);
    if (r < 0)
        return r;
    r = ls_deadline_begin_at(NULL, &bound, timeout_ns); // over the waits for room, too
    for (size_t i = 0; i < n; i++)
        results[i] = -ECANCELED;
    for (size_t i = 0; r == 0 && i < n; i++) {
        ls_task handle = ls_group_spawn_at(site, g, jobs[i].fn, jobs[i].arg, &results[i]);
        if (handle.id == -ENOMEM)
            results[i] = -ENOMEM;
        else if (handle.id < 0)
            r = handle.id;
    }
    if (r < 0)
        ls_group_cancel_at(NULL, g);
    int64_t waited = ls_group_wait_at(site, g, LS_FOREVER);
    if (bound.opaque[0])
        ls_deadline_end_at(NULL, &bound);
    if (r < 0 || waited < 0)
        return r < 0 ? r : waited;
    int64_t failures = 0;
    for (size_t i = 0; i < n; i++)
        failures += results[i] < 0;
    return failures;
}
