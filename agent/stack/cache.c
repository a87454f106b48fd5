#include "cache.h"

#include <stdlib.h>

#include "../list.h"

struct module_cache {
    int n, cap;
    struct module **list;
};

struct module_cache *module_cache_new(void)
{
    return calloc(1, sizeof(struct module_cache));
}

void module_cache_free(struct module_cache *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n; i++)
        module_unref(c->list[i]);
    free(c->list);
    free(c);
}

struct module *module_cache_find(struct module_cache *c, uint64_t device, uint64_t inode)
{
    for (int i = 0; i < c->n; i++)
        if (c->list[i]->inode == inode && c->list[i]->device == device)
            return c->list[i];
    return NULL;
}

void module_cache_add(struct module_cache *c, struct module *m)
{
    if (list_room(c->list, c->n, c->cap))
        c->list[c->n++] = module_ref(m);
}

void module_cache_trim(struct module_cache *c)
{
    int kept = 0;
    for (int i = 0; i < c->n; i++) {
        if (c->list[i]->refs > 1)
            c->list[kept++] = c->list[i];
        else
            module_unref(c->list[i]);
    }
    c->n = kept;
}
