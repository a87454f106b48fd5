// The modules in use, by file: 200 processes share one libc.
#ifndef LOOPSCOPE_STACK_CACHE_H
#define LOOPSCOPE_STACK_CACHE_H

#include "maps.h"
#include "module.h"

struct module_cache;

struct module_cache *module_cache_new(void);
void module_cache_free(struct module_cache *c); // drops its references
// A borrowed module that lives until module_cache_trim finds it unused; NULL: not in the cache.
struct module *module_cache_find(struct module_cache *c, uint64_t device, uint64_t inode);
void module_cache_add(struct module_cache *c, struct module *m); // takes a reference
// Forgets modules that only the cache holds.
void module_cache_trim(struct module_cache *c);

#endif
