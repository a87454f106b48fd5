// Clean-up: what a task owns, undone last in first out when it ends or its scope does.
#include "fast.h"

#include <stdlib.h>
#include <unistd.h>

void ls__own_init(struct own *own)
{
    own->link = (struct list){NULL, NULL};
}

bool ls__own_owned(const struct own *own)
{
    return list_linked(&own->link);
}

void ls__own_push(struct task *t, struct own *own, void (*fn)(void *arg), void *arg)
{
    own->fn = fn;
    own->arg = arg;
    own->order = ++t->own_order;
    t->untidy = true;
    list_add_head(&t->owned, &own->link);
}

void ls__own_remove(struct own *own)
{
    list_del(&own->link);
}

static struct own *newest(struct task *t, uint64_t down_to)
{
    struct list *node = list_first(&t->owned);
    if (!node)
        return NULL;
    struct own *own = list_entry(node, struct own, link);
    return own->order > down_to ? own : NULL;
}

// Each is taken off before it runs, so that one that ends in an error, or looks for itself, is not run twice.
void ls__own_run(struct task *t, uint64_t down_to)
{
    struct ls_deadline bound;
    struct own *own = newest(t, down_to);
    if (!own)
        return;
    t->flags |= LS_ABI_IN_CLEANUP;
    ls_shield_begin_at(NULL);
    ls_deadline_begin_at(NULL, &bound, t->loop->cleanup_ns); // out of memory: without a bound
    while ((own = newest(t, down_to))) {
        list_del(&own->link);
        own->fn(own->arg);
    }
    if (bound.opaque[0])
        ls_deadline_end_at(NULL, &bound);
    t->flags &= (uint16_t)~LS_ABI_IN_CLEANUP;
    ls_shield_end_at(NULL);
}

// ---- defer ----

struct deferred {
    struct own own;
    void (*fn)(void *arg);
    void *arg;
};

static void run_deferred(void *arg)
{
    struct deferred d = *(struct deferred *)arg;
    free(arg);
    d.fn(d.arg);
}

int ls_defer_at(struct ls_site *site, void (*fn)(void *arg), void *arg)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_defer");
    struct deferred *d = malloc(sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->fn = fn;
    d->arg = arg;
    ls__own_push(t, &d->own, run_deferred, d);
    return 0;
}

int ls_undefer_at(struct ls_site *site, void (*fn)(void *arg), void *arg)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_undefer");
    list_for_each(node, &t->owned)
    {
        struct own *own = list_entry(node, struct own, link);
        struct deferred *d = own->arg;
        if (own->fn != run_deferred || d->fn != fn || d->arg != arg)
            continue;
        list_del(&own->link);
        free(d);
        return 0;
    }
    return -ENOENT;
}

struct ls_scope ls_scope_begin(void)
{
    struct task *t = task_current();
    return (struct ls_scope){t ? t->own_order : 0};
}

int ls_scope_end(struct ls_scope scope)
{
    struct task *t = task_current();
    if (!t)
        return -EPERM;
    ls__own_run(t, scope.opaque);
    return 0;
}

// ---- descriptors ----

static void close_fd(void *arg)
{
    close((int)(intptr_t)arg);
}

int ls_own_fd_at(struct ls_site *site, int fd)
{
    if (fd < 0)
        return fd;
    if (!task_current())
        return ls__not_in_task(site, "ls_own_fd");
    int r = ls_defer_at(site, close_fd, (void *)(intptr_t)fd);
    return r < 0 ? r : fd;
}

int ls_disown_fd_at(struct ls_site *site, int fd)
{
    if (!task_current())
        return ls__not_in_task(site, "ls_disown_fd");
    return ls_undefer_at(site, close_fd, (void *)(intptr_t)fd);
}

// ---- memory ----

struct block {
    struct own own;
    _Alignas(16) char bytes[];
};

void *ls_alloc(size_t size)
{
    struct task *t = task_current();
    if (!t || size > SIZE_MAX - sizeof(struct block))
        return NULL;
    struct block *b = calloc(1, sizeof(*b) + size);
    if (!b)
        return NULL;
    ls__own_push(t, &b->own, free, b);
    return b->bytes;
}

void ls_free(void *memory)
{
    if (!memory)
        return;
    struct block *b = list_entry(memory, struct block, bytes);
    ls__own_remove(&b->own);
    free(b);
}
