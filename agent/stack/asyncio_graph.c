// Who waits for whom, and which tasks wait for themselves through others: the strongly connected components of the
// graph, by Tarjan's way, which walks each edge once. It walks only what can be reached from the tasks asked about.
#include <stdlib.h>
#include <uthash.h>

#include "../list.h"
#include "asyncio.h"

struct wait_node {
    UT_hash_handle hh;
    uint64_t task;
    size_t edge;                // the next one to be walked
    uint32_t index, low, cycle; // cycle: the component's number, from 1; 0: it is on none
    bool on_path, self;
};

static int by_task(const void *a, const void *b)
{
    const struct wait_edge *x = a, *y = b;
    if (x->task != y->task)
        return x->task < y->task ? -1 : 1;
    return (x->waiter > y->waiter) - (x->waiter < y->waiter);
}

bool wait_graph_add(struct wait_graph *g, uint64_t task, uint64_t waiter)
{
    if (!list_room(g->edges, g->n, g->capacity))
        return false;
    g->unsorted |= g->n && g->edges[g->n - 1].task > task;
    g->edges[g->n++] = (struct wait_edge){task, waiter};
    return true;
}

void wait_graph_free(struct wait_graph *g)
{
    struct wait_node *n, *next;
    HASH_ITER (hh, g->nodes, n, next) {
        HASH_DEL(g->nodes, n);
        free(n);
    }
    free(g->edges);
    free(g->path);
    free(g->open);
}

static size_t first_edge(const struct wait_graph *g, uint64_t task)
{
    return list_divide(g->edges, g->n, e, e->task < task);
}

static struct wait_node *find(const struct wait_graph *g, uint64_t task)
{
    struct wait_node *n;
    HASH_FIND(hh, g->nodes, &task, sizeof task, n);
    return n;
}

static bool enter(struct wait_graph *g, uint64_t task)
{
    struct wait_node *n = calloc(1, sizeof *n);
    if (!n)
        return false;
    n->task = task;
    n->edge = first_edge(g, task);
    n->index = n->low = ++g->seen;
    n->on_path = true;
    HASH_ADD(hh, g->nodes, task, sizeof n->task, n);
    if (!list_room(g->path, g->npath, g->path_capacity) ||
        !list_room(g->open, g->nopen, g->open_capacity))
        return false;
    g->path[g->npath++] = g->open[g->nopen++] = n;
    return true;
}

// All of its edges are walked: if it is the first of its component, that is whole now.
static void leave(struct wait_graph *g, struct wait_node *n)
{
    g->npath--;
    if (g->npath > 0 && g->path[g->npath - 1]->low > n->low)
        g->path[g->npath - 1]->low = n->low;
    if (n->low != n->index)
        return;
    bool cycle = g->open[g->nopen - 1] != n || n->self;
    g->cycles += cycle;
    for (struct wait_node *m = NULL; m != n;) {
        m = g->open[--g->nopen];
        m->on_path = false;
        m->cycle = cycle ? g->cycles : 0;
    }
}

static bool step(struct wait_graph *g, struct wait_node *n, uint64_t waiter)
{
    struct wait_node *m = find(g, waiter);
    if (!m)
        return enter(g, waiter);
    n->self |= m == n;
    if (m->on_path && m->index < n->low)
        n->low = m->index;
    return true;
}

static void search(struct wait_graph *g, uint64_t task)
{
    bool good = enter(g, task);
    while (good && g->npath > 0) {
        struct wait_node *n = g->path[g->npath - 1];
        if (n->edge < g->n && g->edges[n->edge].task == n->task)
            good = step(g, n, g->edges[n->edge++].waiter);
        else
            leave(g, n);
    }
}

uint64_t wait_graph_cycle(struct wait_graph *g, uint64_t task)
{
    if (g->unsorted)
        qsort(g->edges, g->n, sizeof *g->edges, by_task);
    g->unsorted = false;
    size_t edge = first_edge(g, task);
    if (edge == g->n || g->edges[edge].task != task)
        return 0; // nobody waits for it
    if (!find(g, task))
        search(g, task);
    const struct wait_node *n = find(g, task);
    for (; n && n->cycle && edge < g->n && g->edges[edge].task == task; edge++) {
        const struct wait_node *m = find(g, g->edges[edge].waiter);
        if (m && m->cycle == n->cycle)
            return m->task;
    }
    return 0;
}
