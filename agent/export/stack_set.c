#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "doc.h"

void stack_set_add(struct stack_set *set, const struct stack *st)
{
    if (!st)
        return;
    list_must_have_room(set->stacks, set->n, set->cap);
    set->stacks[set->n++] = st;
}

void stack_set_finding(struct stack_set *set, const struct finding *f)
{
    stack_set_add(set, f->stack);
    stack_set_add(set, f->cause.holder_stack);
    for (int i = 0; i < f->noccurrences; i++) {
        stack_set_add(set, f->occurrences[i].stack);
        stack_set_add(set, f->occurrences[i].cause.holder_stack);
    }
}

void stack_set_snap(struct stack_set *set, const struct snap *s, unsigned parts)
{
    for (int i = 0; i < s->nfindings && parts & PART_FINDINGS; i++)
        stack_set_finding(set, &s->findings[i]);
    for (int i = 0; i < s->nloops && parts & PART_LOOPS; i++) {
        stack_set_add(set, s->loops[i].stack);
        stack_set_add(set, s->loops[i].window.busy_stack);
    }
    for (int i = 0; i < s->ntasks && parts & PART_TASKS; i++)
        stack_set_add(set, s->tasks[i].chain);
    for (int i = 0; i < s->nfds && parts & PART_FDS; i++)
        stack_set_add(set, s->fds[i].stack);
    for (int i = 0; i < s->nstalls && parts & PART_STACKS; i++)
        for (int k = 0; k < s->stalls[i].nsamples; k++)
            stack_set_add(set, s->stalls[i].samples[k].stack);
}

static int by_id(const void *a, const void *b)
{
    const struct stack *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

void stack_set_sort(struct stack_set *set)
{
    if (set->n == 0)
        return;
    qsort(set->stacks, (size_t)set->n, sizeof(*set->stacks), by_id);
    int kept = 1;
    for (int i = 1; i < set->n; i++)
        if (strcmp(set->stacks[i]->id, set->stacks[kept - 1]->id) != 0)
            set->stacks[kept++] = set->stacks[i];
    set->n = kept;
}

void stack_set_finish(struct stack_set *set)
{
    free(set->stacks);
    *set = (struct stack_set){0};
}

const char *stack_id(const struct stack *st)
{
    return st ? st->id : NULL;
}
