// Task-local values: a chain of settings, the newest first, shared with the children that inherit it.
#include "fast.h"

#include <stdlib.h>

void ls__locals_unref(struct locals *l)
{
    while (l && --l->refs == 0) {
        struct locals *next = l->next;
        free(l);
        l = next;
    }
}

static struct locals *find(struct locals *l, const void *key)
{
    while (l && l->key != key)
        l = l->next;
    return l;
}

static bool is_ours_alone(const struct locals *l, const struct locals *end)
{
    for (; l != end; l = l->next)
        if (l->refs > 1)
            return false;
    return end->refs == 1;
}

// The old setting is not kept below the new one: the chain never holds a key twice, however often it is set.
static int without(struct locals **ret, struct locals *l, const struct locals *old)
{
    struct locals *first = NULL, **tail = &first;
    for (; l && l != old; l = l->next) {
        struct locals *copy = malloc(sizeof(*copy));
        if (!copy) {
            ls__locals_unref(first);
            return -ENOMEM;
        }
        *copy = (struct locals){.refs = 1, .key = l->key, .value = l->value};
        *tail = copy;
        tail = &copy->next;
    }
    *tail = old->next;
    if (old->next)
        old->next->refs++;
    *ret = first;
    return 0;
}

int ls_local_set_at(struct ls_site *site, const void *key, void *value)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_local_set");
    struct locals *old = find(t->locals, key);
    if (old && is_ours_alone(t->locals, old)) {
        old->value = value;
        return 0;
    }
    struct locals *l = malloc(sizeof(*l));
    if (!l)
        return -ENOMEM;
    *l = (struct locals){.refs = 1, .key = key, .value = value, .next = t->locals};
    if (old) {
        if (without(&l->next, t->locals, old) < 0) {
            free(l);
            return -ENOMEM;
        }
        ls__locals_unref(t->locals);
    }
    t->untidy = true;
    t->locals = l;
    return 0;
}

void *ls_local_get(const void *key)
{
    struct task *t = task_current();
    for (struct locals *l = t ? t->locals : NULL; l; l = l->next)
        if (l->key == key)
            return l->value;
    return NULL;
}
