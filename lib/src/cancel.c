// Cancellation: a mark on a task and on all that is under it, which their next await points tell. A shield
// holds it back, from what is under the shielded task too.
#include "fast.h"

static void mark_cancelled(struct task *t)
{
    struct ls_loop *l = t->loop;
    if (!cancel_requested(t)) {
        t->stained = true;
        t->cancel_ns = l->now_ns;
        t->flags |= LS_ABI_CANCEL_REQUESTED;
        slot_show_flags(t);
        __atomic_store_n(&t->slot->cancel_ns, (uint64_t)t->cancel_ns, __ATOMIC_RELAXED);
        if (unlikely(l->observe))
            ls__observe_cancel(t);
    }
    ls__interrupt(t);
}

static void add_children(struct task *t, struct list *work)
{
    list_for_each(node, &t->children) ls__cancel_add(list_entry(node, struct task, sibling), work);
    ls__groups_add_children(t, work);
}

void ls__cancel_add(struct task *t, struct list *work)
{
    if (task_ended(t) || cancel_requested(t) || t->cancel_queued)
        return;
    t->cancel_queued = true;
    list_add_tail(work, &t->cancel_link);
}

// Down the tree with a work list: a tree may be deeper than a stack.
void ls__cancel_work(struct list *work)
{
    struct list *node;
    while ((node = list_pop(work))) {
        struct task *t = list_entry(node, struct task, cancel_link);
        t->cancel_queued = false;
        mark_cancelled(t);
        if (t->shields == 0)
            add_children(t, work);
    }
}

void ls__task_cancel(struct task *t)
{
    struct list work;
    if (t->cancel_queued) // a hook asks again, within the walk
        return;
    list_init(&work);
    t->cancel_queued = true;
    list_add_tail(&work, &t->cancel_link);
    ls__cancel_work(&work);
}

int ls_cancel_at(struct ls_site *site, ls_task task)
{
    struct ls_loop *l = ls__loop;
    if (!l)
        return ls__wrong_loop(site, "ls_cancel");
    struct task *t = task_of(l, task);
    if (!t)
        return (int)ls__stale(site, task, "ls_cancel");
    if (task_ended(t))
        return ls__misuse(site, -ESRCH, "ls_cancel: task \"%s\" has ended", ls__task_label(t));
    if (!cancel_requested(t))
        ls__task_cancel(t);
    return 0;
}
