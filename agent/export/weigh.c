#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "../list.h"
#include "history.h"

struct weight_key { // compared as bytes: no padding
    int pid, tid;
    char stack[24]; // its id; empty: none
};

struct place { // of a stack in the list
    struct weight_key key;
    int at;
    UT_hash_handle hh;
};

struct weigher {
    struct stack_weight *list;
    int n, cap;
    struct place *places;
};

static struct weight_key key_of(const struct snap_stall *stall, const struct stack *stack)
{
    struct weight_key key = {.pid = stall->pid, .tid = stall->tid};
    if (stack)
        strncpy(key.stack, stack->id, sizeof(key.stack) - 1);
    return key;
}

static struct stack_weight *add(struct weigher *w, const struct stack_weight *weight)
{
    list_must_have_room(w->list, w->n, w->cap);
    w->list[w->n] = *weight;
    return &w->list[w->n++];
}

static struct stack_weight *weight_of(struct weigher *w, const struct snap_stall *stall,
                                      const struct stack *stack)
{
    struct weight_key key = key_of(stall, stack);
    struct place *p;
    HASH_FIND(hh, w->places, &key, sizeof(key), p);
    if (p)
        return &w->list[p->at];
    p = calloc(1, sizeof(*p));
    if (!p)
        abort();
    p->key = key;
    p->at = w->n;
    HASH_ADD(hh, w->places, key, sizeof(key), p);
    return add(w, &(struct stack_weight){.pid = stall->pid, .tid = stall->tid, .stack = stack});
}

static void weigh_stall(struct weigher *w, const struct snap_stall *stall)
{
    if (stall->nsamples == 0) {
        struct stack_weight *k = weight_of(w, stall, NULL);
        k->ns += stall->duration_ns > 0 ? stall->duration_ns : 0;
        k->stalls++;
        k->cause = &stall->cause;
        return;
    }
    int64_t begin = 0;
    for (int i = 0; i < stall->nsamples; i++) {
        int64_t end =
            i + 1 < stall->nsamples ? stall->samples[i + 1].elapsed_ns : stall->duration_ns;
        struct stack_weight *k = weight_of(w, stall, stall->samples[i].stack);
        k->ns += end > begin ? end - begin : 0;
        k->samples++;
        k->stalls += i == 0;
        k->cause = &stall->cause;
        begin = end > begin ? end : begin;
    }
}

static int heavier(const void *a, const void *b)
{
    const struct stack_weight *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns < y->ns ? 1 : -1;
    if (x->tid != y->tid)
        return x->tid < y->tid ? -1 : 1;
    return x->stack && y->stack ? strcmp(x->stack->id, y->stack->id) : 0;
}

static void forget_places(struct weigher *w)
{
    struct place *p, *next;
    HASH_ITER (hh, w->places, p, next) {
        HASH_DEL(w->places, p);
        free(p);
    }
}

struct weights weigh(const struct snap *s, const struct history *h)
{
    struct weigher w = {0};
    const struct snap_stall *stalls = h ? h->stalls : s->stalls;
    int n = h ? h->nstalls : s->nstalls;
    for (int i = 0; i < n; i++)
        weigh_stall(&w, &stalls[i]);
    forget_places(&w);
    if (w.n > 0)
        qsort(w.list, (size_t)w.n, sizeof(*w.list), heavier);
    return (struct weights){w.n, w.list};
}

void weights_finish(struct weights *w)
{
    free(w->list);
    *w = (struct weights){0};
}
