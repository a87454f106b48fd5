// Stacks of one loop: cut from slabs, guarded, reused last in first out.
#ifndef LS_STACK_H
#define LS_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STACK_PAGE 4096

struct slab {
    char *base;
    size_t size;
    unsigned *valgrind_ids; // of each stack; NULL when not under valgrind
};

struct stacks {
    size_t size; // of each, guard page included
    char **pool; // free ones, the most recently used last
    uint32_t npool, pool_cap;
    uint32_t
        ntrimmed;  // pool[0 .. ntrimmed) have given their memory back; UINT32_MAX: all are poisoned
    uint32_t keep; // watermark: so many free ones keep theirs
    uint32_t total;
    struct slab *slabs;
    uint32_t nslabs, slabs_cap;
    char *fresh, *fresh_end; // of the newest slab, not cut yet
    char *prepared;          // up to here they are guarded already
    uint32_t guard;          // enum ls_abi_guard: the weakest so far
    uint32_t nprotected;     // guarded by mprotect
    bool poison;             // debug: free stacks fault
    char *dying;             // freed by its own task, to be poisoned later
};

int ls__stacks_init(struct stacks *s, size_t size, uint32_t keep, bool poison);
void ls__stacks_free(struct stacks *s);
void ls__stack_poison(struct stacks *s, char *stack);
void ls__stack_unpoison(struct stacks *s, char *stack);
// Gives some memory back; true: more to do. goes(ctx, stack): before the memory of each is gone.
bool ls__stacks_trim(struct stacks *s, void (*goes)(void *ctx, char *stack), void *ctx);
void ls__stack_set_canary(struct stacks *s, char *stack);
bool ls__stack_canary_dead(const struct stacks *s, const char *stack);
// The stack that holds the address (guard page included), NULL none. Async-signal-safe.
char *ls__stack_find(const struct stacks *s, const char *address);
bool ls__stack_is_free(const struct stacks *s, const char *stack);

char *ls__stack_take_cold(struct stacks *s); // trimmed, poisoned or fresh: its memory is zero
// One that was used and left as it is; NULL: take a cold one.
static inline char *stack_take_warm(struct stacks *s)
{
    return __builtin_expect(s->npool > s->ntrimmed, 1) ? s->pool[--s->npool] : NULL;
}

// own: the caller still runs on it, until its next switch.
static inline void stack_give(struct stacks *s, char *stack, bool own)
{
    if (__builtin_expect(s->poison, 0)) {
        if (s->dying) {
            char *dead = s->dying;
            s->dying = NULL;
            ls__stack_poison(s, dead);
            s->pool[s->npool++] = dead;
        }
        if (own) {
            s->dying = stack;
            return;
        }
        ls__stack_poison(s, stack);
    }
    s->pool[s->npool++] = stack; // has room for all
}

#endif
