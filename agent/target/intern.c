#include "intern.h"

#include <stdlib.h>

#define KEPT_MAX 2048
#define SWEPT_AT 64

struct interned {
    UT_hash_handle hh;
    struct stack *stack; // its id is the key
};

static void drop(struct model *m, struct interned *i)
{
    HASH_DEL(m->interned, i);
    stack_unref(i->stack);
    free(i);
}

// Nobody else holds them: then nobody can tell that they are another struct the next time.
static void drop_unused(struct model *m)
{
    struct interned *i, *next;
    HASH_ITER (hh, m->interned, i, next)
        if (i->stack->refs == 1)
            drop(m, i);
}

// When twice as many are there as were needed at the last time: what is kept stays in proportion to what is shown, and
// a service that sees new stacks for months does not fill up with them.
static void sweep(struct model *m)
{
    drop_unused(m);
    unsigned int twice = 2 * HASH_COUNT(m->interned) + SWEPT_AT;
    m->sweep_interned = twice < KEPT_MAX ? twice : KEPT_MAX;
}

struct stack *stack_intern(struct model *m, struct stack *s)
{
    struct interned *i;
    HASH_FIND_STR(m->interned, s->id, i);
    if (i)
        return i->stack;
    if (HASH_COUNT(m->interned) >= m->sweep_interned)
        sweep(m);
    if (HASH_COUNT(m->interned) >= KEPT_MAX || !(i = calloc(1, sizeof(*i))))
        return s;
    i->stack = stack_ref(s);
    HASH_ADD_KEYPTR(hh, m->interned, i->stack->id, strlen(i->stack->id), i);
    return i->stack;
}

unsigned int stacks_interned(const struct model *m)
{
    return HASH_COUNT(m->interned);
}

void stack_intern_free(struct model *m)
{
    struct interned *i, *next;
    HASH_ITER (hh, m->interned, i, next)
        drop(m, i);
}
