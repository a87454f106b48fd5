// Who waits for whom. An awaiter waits for one task, one that wants a lock for its holder, one that ends a group for
// every child of it: a way back to itself through any of these never ends by itself, and the runtime has refused the
// ones that go through awaits alone. So it takes a lock to make a cycle, and without a waiter for one nothing is
// searched.
//
// Nothing can wake a task when all tasks wait for one another or for what only a task can give, the loop has stopped
// turning and polls without a bound (so no timer runs), and no other thread is there to knock at its door.
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "live_book.h"

#define STILL_NS  500000000LL
#define LOCKS_MAX 4096

struct lock {
    UT_hash_handle hh;
    uint64_t address, holder;
};

struct live_locks {
    struct lock *by_address;
    int n;
};

void live_locks_free(struct live_locks *l)
{
    struct lock *k, *next;
    if (!l)
        return;
    HASH_ITER (hh, l->by_address, k, next) {
        HASH_DEL(l->by_address, k);
        free(k);
    }
    free(l);
}

// The 8 bytes at a mutex, or at a semaphore with one permit, are the id of the task that has it (abi.h). Read once a
// look.
static void learn_lock(struct live_locks *l, const struct live_table *t, uint64_t address)
{
    struct lock *k;
    HASH_FIND(hh, l->by_address, &address, sizeof(address), k);
    if (k || l->n >= LOCKS_MAX || !t->source.memory || !(k = calloc(1, sizeof(*k))))
        return;
    k->address = address;
    if (!t->source.memory(t->source.arg, address, &k->holder, sizeof(k->holder)) ||
        !live_task(t, k->holder))
        k->holder = 0;
    HASH_ADD(hh, l->by_address, address, sizeof(k->address), k);
    l->n++;
}

static uint64_t holder_of(const struct live_book *b, uint64_t address)
{
    struct lock *k = NULL;
    if (b->locks)
        HASH_FIND(hh, b->locks->by_address, &address, sizeof(address), k);
    return k ? k->holder : 0;
}

static bool is_lock(unsigned wait)
{
    return wait == LS_ABI_WAIT_MUTEX || wait == LS_ABI_WAIT_SEM;
}

static bool wants_lock(const struct ls_abi_task *s)
{
    return live_counts(s) && live_is_parked(s) && is_lock(s->wait);
}

static bool waits_for_children(const struct ls_abi_task *s)
{
    return live_is_parked(s) && (s->wait == LS_ABI_WAIT_GROUP || s->wait == LS_ABI_WAIT_CHILDREN);
}

// ---- the search ----

#define NONE UINT32_MAX

struct search {
    struct live_book *b;
    const struct live_table *t;
    uint32_t *first, *next; // children of those that wait for theirs
    uint32_t *at;           // the child that the walk takes next
    uint8_t *colour;        // 0 not seen, 1 on the path, 2 done
    uint32_t *path;
    uint32_t depth;
};

static uint32_t slot_of(const struct live_table *t, uint64_t id)
{
    const struct ls_abi_task *s = live_task(t, id);
    return s && !live_is_over(s) ? LS_ABI_SLOT_OF(id) : NONE;
}

static uint32_t only_edge(const struct search *x, uint32_t i)
{
    const struct ls_abi_task *s = &x->t->slots[i];
    if (!live_is_parked(s))
        return NONE;
    if (s->wait == LS_ABI_WAIT_TASK)
        return slot_of(x->t, s->wait_object);
    if (is_lock(s->wait))
        return slot_of(x->t, holder_of(x->b, s->wait_object));
    return NONE;
}

static uint32_t next_edge(struct search *x, uint32_t i)
{
    uint32_t to = x->at[i];
    if (to != NONE)
        x->at[i] = x->next[to];
    return to;
}

static void push(struct search *x, uint32_t i)
{
    x->colour[i] = 1;
    x->path[x->depth++] = i;
}

static void mark_cycle(struct search *x, uint32_t from)
{
    for (uint32_t d = x->depth; d-- > 0;) {
        x->b->marks[x->path[d]].flags |= TASKF_CYCLE;
        if (x->path[d] == from)
            break;
    }
}

static void step(struct search *x, uint32_t to)
{
    if (to == NONE || x->colour[to] == 2)
        return;
    if (x->colour[to] == 1)
        mark_cycle(x, to);
    else
        push(x, to);
}

static void walk(struct search *x, uint32_t start)
{
    push(x, start);
    while (x->depth > 0) {
        uint32_t i = x->path[x->depth - 1], before = x->depth;
        if (x->colour[i] == 1 && !waits_for_children(&x->t->slots[i]) && x->at[i] == NONE) {
            x->at[i] = i; // its only edge has been taken
            step(x, only_edge(x, i));
        } else if (waits_for_children(&x->t->slots[i]) && x->at[i] != NONE) {
            step(x, next_edge(x, i));
            if (x->depth == before)
                continue;
        }
        if (x->depth == before) {
            x->colour[i] = 2;
            x->depth--;
        }
    }
}

static void link_children(struct search *x)
{
    for (uint32_t i = 0; i < x->t->nslots; i++)
        x->first[i] = x->next[i] = NONE;
    for (uint32_t i = 0; i < x->t->nslots; i++) {
        const struct ls_abi_task *s = &x->t->slots[i];
        uint32_t p = live_counts(s) && !live_is_over(s) ? slot_of(x->t, s->parent) : NONE;
        if (p == NONE || p == i || !waits_for_children(&x->t->slots[p]))
            continue;
        x->next[i] = x->first[p];
        x->first[p] = i;
    }
    memcpy(x->at, x->first, sizeof(*x->at) * x->t->nslots);
}

static void find_cycles(struct live_book *b, const struct live_table *t)
{
    size_t n = t->nslots;
    uint32_t *words = malloc(sizeof(*words) * 4 * n);
    uint8_t *colour = calloc(n, 1);
    if (words && colour) {
        struct search x = {.b = b,
                           .t = t,
                           .first = words,
                           .next = words + n,
                           .at = words + 2 * n,
                           .path = words + 3 * n,
                           .colour = colour};
        link_children(&x);
        for (uint32_t i = 0; i < n; i++)
            if (wants_lock(&t->slots[i]) && colour[i] == 0)
                walk(&x, i);
    }
    free(words);
    free(colour);
}

// ---- what nothing can wake ----

static bool only_a_task_wakes(const struct ls_abi_task *s)
{
    if (!live_is_parked(s))
        return false;
    switch (s->wait) {
    case LS_ABI_WAIT_TASK:
    case LS_ABI_WAIT_GROUP:
    case LS_ABI_WAIT_LIMIT:
    case LS_ABI_WAIT_CHILDREN:
    case LS_ABI_WAIT_SEM:
    case LS_ABI_WAIT_MUTEX:
    case LS_ABI_WAIT_EVENT:
    case LS_ABI_WAIT_COND:
    case LS_ABI_WAIT_CHAN_SEND:
    case LS_ABI_WAIT_CHAN_RECV:
    case LS_ABI_WAIT_SELECT: return true;
    default: return false;
    }
}

static bool waits_for_a_task(const struct ls_abi_task *s)
{
    return s->wait == LS_ABI_WAIT_TASK || s->wait == LS_ABI_WAIT_GROUP ||
           s->wait == LS_ABI_WAIT_LIMIT || s->wait == LS_ABI_WAIT_CHILDREN;
}

static bool all_is_still(const struct live_book *b, const struct live_table *t)
{
    if (!b->closed || b->now_ns - b->loops_still_ns < STILL_NS)
        return false;
    for (uint32_t i = 0; i < t->nloops; i++) {
        const struct ls_abi_loop *l = &t->loops[i];
        if (l->tid && (l->busy_since_ns > 0 || l->current > 0 ||
                       l->flags & (LS_ABI_LOOP_ATTACHED | LS_ABI_LOOP_CLOSING)))
            return false;
    }
    for (uint32_t i = 0; i < t->nslots; i++) {
        const struct ls_abi_task *s = &t->slots[i];
        if (s->id && !live_is_over(s) && !only_a_task_wakes(s))
            return false;
    }
    return true;
}

static void find_lost(struct live_book *b, const struct live_table *t)
{
    for (uint32_t i = 0; i < t->nslots; i++) {
        const struct ls_abi_task *s = &t->slots[i];
        if (live_counts(s) && !live_is_over(s) && !waits_for_a_task(s) &&
            !(b->marks[i].flags & TASKF_CYCLE))
            b->marks[i].flags |= TASKF_NO_WAKER;
    }
}

void live_graph_judge(struct live_book *b, const struct live_table *t)
{
    live_locks_free(b->locks);
    b->locks = NULL;
    for (uint32_t i = 0; i < t->nslots; i++) {
        if (!wants_lock(&t->slots[i]))
            continue;
        if (!b->locks && !(b->locks = calloc(1, sizeof(*b->locks))))
            return;
        learn_lock(b->locks, t, t->slots[i].wait_object);
    }
    if (b->locks)
        find_cycles(b, t);
    if (all_is_still(b, t))
        find_lost(b, t);
}

uint64_t live_waits_for(const struct live_book *b, const struct live_table *t,
                        const struct ls_abi_task *s)
{
    if (!live_is_parked(s))
        return 0;
    if (s->wait == LS_ABI_WAIT_TASK)
        return live_task(t, s->wait_object) ? s->wait_object : 0;
    if (is_lock(s->wait))
        return holder_of(b, s->wait_object);
    if (!waits_for_children(s) || LS_ABI_SLOT_OF(s->id) >= b->nmarks ||
        !(b->marks[LS_ABI_SLOT_OF(s->id)].flags & TASKF_CYCLE))
        return 0;
    for (uint32_t i = 0; i < t->nslots; i++)
        if (t->slots[i].parent == s->id && b->marks[i].flags & TASKF_CYCLE)
            return t->slots[i].id;
    return 0;
}
