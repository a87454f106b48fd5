// Objects with a handle or descriptor: released at the end of their task; those that no task owns, at the end of the loop.
#include "io.h"

static void by_task(void *arg)
{
    struct owned *o = arg;
    o->release(o);
}

static void by_loop(struct ls_loop *l, struct closing *part)
{
    struct owned *o = list_entry(part, struct owned, part);
    (void)l;
    o->release(o);
}

static void give_to_loop(struct owned *o)
{
    o->part.fn = by_loop;
    list_add_tail(&o->loop->closing_parts, &o->part.link);
}

void ls__owned_init(struct owned *o, struct ls_loop *l, void (*release)(struct owned *o))
{
    ls__own_init(&o->own);
    o->part.link = (struct list){NULL, NULL};
    o->loop = l;
    o->release = release;
    if (l->current)
        ls__own_push(l->current, &o->own, by_task, o);
    else
        give_to_loop(o);
}

void ls__owned_forget(struct owned *o)
{
    ls__own_remove(&o->own);
    list_del(&o->part.link);
}

int ls__owned_adopt(struct ls_site *site, struct owned *o, const char *call)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, call);
    if (t->loop != o->loop)
        return ls__wrong_loop_of(o->loop, site, call);
    ls__owned_forget(o);
    ls__own_push(t, &o->own, by_task, o);
    return 0;
}

int ls__owned_disown(struct ls_site *site, struct owned *o, const char *call)
{
    if (o->loop != ls__loop)
        return ls__wrong_loop_of(o->loop, site, call);
    ls__owned_forget(o);
    give_to_loop(o);
    return 0;
}
