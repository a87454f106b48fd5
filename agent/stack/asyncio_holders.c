// The holders of the locks that tasks wait for, after all tasks were read: a second look at those that may matter.
#include <stdlib.h>

#include "../list.h"
#include "asyncio.h"

#define BLOCK    1024
#define MAX_HELD 16 // locks of one task

struct held { // by one task
    uint64_t locks[MAX_HELD], print;
    int n;
};

void lock_waits_add(struct lock_waits *l, uint64_t lock, uint64_t task)
{
    if (list_room(l->v, l->n, l->capacity))
        l->v[l->n++] = (struct lock_wait){lock, task, 0};
}

void lock_waits_free(struct lock_waits *l)
{
    free(l->v);
}

static size_t first_wait_for(const struct lock_waits *l, uint64_t lock)
{
    return list_divide(l->v, l->n, w, w->lock < lock);
}

static void note_holder(struct lock_waits *l, struct wait_graph *g, uint64_t lock, uint64_t holder)
{
    for (size_t i = first_wait_for(l, lock); i < l->n && l->v[i].lock == lock; i++) {
        if (l->v[i].task == holder || l->v[i].holder)
            continue;
        l->v[i].holder = holder;
        wait_graph_add(g, holder, l->v[i].task);
    }
}

static void look_at(struct cpython *py, uint64_t address, struct held *h)
{
    struct task t;
    *h = (struct held){.n = 0};
    if (!task_read(py, address, &t) || t.state)
        return;
    h->n = task_held_locks(py, &t, h->locks, MAX_HELD);
    h->print = h->n ? task_fingerprint(py, &t) : 0;
}

static bool is_as_it_was(struct cpython *py, uint64_t address, const struct held *h)
{
    struct task t;
    return h->print && task_read(py, address, &t) && task_fingerprint(py, &t) == h->print;
}

static void look_at_block(struct cpython *py, const uint64_t *tasks, size_t n, struct lock_waits *l,
                          struct wait_graph *g)
{
    struct held *held = malloc(n * sizeof *held);
    if (!held)
        return;
    task_fetch(py, tasks, n);
    for (size_t i = 0; i < n; i++)
        look_at(py, tasks[i], &held[i]);
    mem_refresh(py->m);
    for (size_t i = 0; i < n; i++)
        if (is_as_it_was(py, tasks[i], &held[i]))
            for (int k = 0; k < held[i].n; k++)
                note_holder(l, g, held[i].locks[k], tasks[i]);
    mem_forget(py->m);
    free(held);
}

// A holder matters when it waits itself: for a lock, or for a task.
static size_t may_matter(const struct lock_waits *l, const struct wait_graph *g, uint64_t **ret)
{
    uint64_t *v = *ret = malloc((l->n + g->n) * sizeof *v);
    size_t n = 0, kept = 0;
    if (!v)
        return 0;
    for (size_t i = 0; i < l->n; i++)
        v[n++] = l->v[i].task;
    for (size_t i = 0; i < g->n; i++)
        v[n++] = g->edges[i].waiter;
    qsort(v, n, sizeof *v, list_by_number);
    for (size_t i = 0; i < n; i++)
        if (!kept || v[kept - 1] != v[i])
            v[kept++] = v[i];
    return kept;
}

void lock_waits_find_holders(struct cpython *py, struct lock_waits *l, struct wait_graph *g)
{
    uint64_t *tasks;
    size_t n = may_matter(l, g, &tasks);
    qsort(l->v, l->n, sizeof *l->v, list_by_number);
    for (size_t done = 0; done < n && !mem_spent(py->m); done += BLOCK)
        look_at_block(py, tasks + done, n - done < BLOCK ? n - done : BLOCK, l, g);
    free(tasks);
}
