// Bump allocation for things that die together. Not thread safe.
#ifndef LOOPSCOPE_ARENA_H
#define LOOPSCOPE_ARENA_H

#include <stddef.h>

struct arena;
struct arena *arena_new(void);       // aborts with a message when out of memory, as do all below
void arena_free(struct arena *a);    // NULL is fine
void *arena_alloc(struct arena *a, size_t size); // zeroed, aligned for any type
char *arena_strdup(struct arena *a, const char *text);
size_t arena_bytes(const struct arena *a);

#endif
