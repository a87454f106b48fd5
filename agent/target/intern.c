#include "intern.h"

#include <stdlib.h>

#define KEPT_MAX 2048

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

struct stack *stack_intern(struct model *m, struct stack *s)
{
    struct interned *i;
    HASH_FIND_STR(m->interned, s->id, i);
    if (i)
        return i->stack;
    if (HASH_COUNT(m->interned) >= KEPT_MAX)
        drop_unused(m);
    if (HASH_COUNT(m->interned) >= KEPT_MAX || !(i = calloc(1, sizeof(*i))))
        return s;
    i->stack = stack_ref(s);
    HASH_ADD_KEYPTR(hh, m->interned, i->stack->id, strlen(i->stack->id), i);
    return i->stack;
}

void stack_intern_free(struct model *m)
{
    struct interned *i, *next;
    HASH_ITER (hh, m->interned, i, next)
        drop(m, i);
}
