#include "arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK (16 * 1024)

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char data[];
};

struct arena {
    struct block *head;
    size_t total;
};

static void *must(void *p)
{
    if (!p) {
        fputs("loopscope: out of memory\n", stderr);
        abort();
    }
    return p;
}

struct arena *arena_new(void)
{
    return must(calloc(1, sizeof(struct arena)));
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    for (struct block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

static struct block *add_block(struct arena *a, size_t need)
{
    size_t size = need > BLOCK ? need : BLOCK;
    struct block *b = must(calloc(1, sizeof(*b) + size));
    b->size = size;
    b->next = a->head;
    a->head = b;
    a->total += sizeof(*b) + size;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = alignof(max_align_t);
    size = (size + align - 1) & ~(align - 1);
    struct block *b = a->head;
    if (!b || b->size - b->used < size)
        b = add_block(a, size);
    void *p = b->data + b->used;
    b->used += size;
    return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
    if (!text)
        return NULL;
    size_t n = strlen(text) + 1;
    return memcpy(arena_alloc(a, n), text, n);
}

size_t arena_bytes(const struct arena *a)
{
    return a->total;
}
