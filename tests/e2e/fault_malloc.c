// Preloaded: the allocation of number $NTH fails, once.
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

static atomic_long count;
static long nth;

__attribute__((constructor)) static void start(void)
{
    const char *text = getenv("NTH");
    nth = text ? atol(text) : 0;
    count = 0;
}

static int fails(void)
{
    if (nth <= 0 || ++count != nth)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
