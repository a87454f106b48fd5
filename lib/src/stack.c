// See stack.h.
//
// GUARDS. A PROT_NONE page a stack makes two mappings of one, and vm.max_map_count (65 530) ends that at 32 753 stacks.
// MADV_GUARD_INSTALL (Linux 6.13) marks the page tables instead: no mapping is split, any number works.
// Without it mprotect is used while we stay below 45 % of the limit (the program needs mappings too), and a
// canary at the low end beyond that. The weakest in use is shown in the live table.
#include "stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "context.h"
#include "internal.h"

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_NOACCESS(a, n)  ((void)(a), (void)(n))
#define VALGRIND_MAKE_MEM_UNDEFINED(a, n) ((void)(a), (void)(n))
#define VALGRIND_STACK_REGISTER(a, b)     ((void)(a), (void)(b), 0u)
#define VALGRIND_STACK_DEREGISTER(id)     ((void)(id))
#define RUNNING_ON_VALGRIND               0
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#ifndef PIDFD_SELF_PROCESS
#define PIDFD_SELF_PROCESS (-10001)
#endif

#define SLAB_BYTES      ((size_t)16 << 20)
#define CANARY_BYTES    64
#define CANARY          0xa5
#define TRIM_AT_ONCE    256
#define PREPARE_AT_ONCE 32  // of 64 KB: what one page of page table holds
#define MANY            256 // stacks

static atomic_uint mprotected; // guard pages of the whole process

static unsigned mprotect_limit(void)
{
    static unsigned limit;
    if (limit)
        return limit;
    unsigned max = 65530;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
    if (f) {
        if (fscanf(f, "%u", &max) != 1)
            max = 65530;
        fclose(f);
    }
    limit = (unsigned)(max * 0.45 / 2); // each costs two mappings
    return limit;
}

// Emulators (qemu-user) take advice they do not know and say that all is well.
static bool is_guarded(char *page)
{
    static atomic_int known; // 1 yes, -1 no
    int is = atomic_load_explicit(&known, memory_order_relaxed);
    if (!is) {
        is = madvise(page, STACK_PAGE, MADV_POPULATE_WRITE) < 0 && errno == EFAULT ? 1 : -1;
        atomic_store_explicit(&known, is, memory_order_relaxed);
    }
    return is > 0;
}

static bool guard_by_madvise(char *stack)
{
    if (RUNNING_ON_VALGRIND) // it does not know the call and would follow a fault into nowhere
        return false;
    return madvise(stack, STACK_PAGE, MADV_GUARD_INSTALL) == 0 && is_guarded(stack);
}

// madvise for a page of each of n stacks by one system call.
static bool advise_each(const struct stacks *s, char *page, unsigned n, int advice)
{
    struct iovec pages[PREPARE_AT_ONCE];
    for (unsigned i = 0; i < n; i++)
        pages[i] = (struct iovec){page + i * s->size, STACK_PAGE};
    ssize_t r = syscall(SYS_process_madvise, PIDFD_SELF_PROCESS, pages, (size_t)n, advice, 0);
    if (r < 0 && errno == EBADF) { // before Linux 6.14
        int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
        if (pidfd < 0)
            return false;
        r = syscall(SYS_process_madvise, pidfd, pages, (size_t)n, advice, 0);
        close(pidfd);
    }
    return r == (ssize_t)n * STACK_PAGE;
}

// Guards the next stacks of the slab together. While a program makes many, their top pages are also brought in: a fault
// each would cost more than all the rest of a spawn.
static void prepare(struct stacks *s)
{
    unsigned n = (unsigned)((size_t)(s->fresh_end - s->fresh) / s->size);
    if (s->fresh < s->prepared || s->guard > LS_ABI_GUARD_MADVISE || RUNNING_ON_VALGRIND)
        return;
    if (n > PREPARE_AT_ONCE)
        n = PREPARE_AT_ONCE;
    if (n < 2 || !advise_each(s, s->fresh, n, MADV_GUARD_INSTALL) || !is_guarded(s->fresh))
        return;
    s->prepared = s->fresh + n * s->size;
    if (s->total >= MANY)
        advise_each(s, s->fresh + s->size - STACK_PAGE, n, MADV_POPULATE_WRITE);
}

static bool guard_by_mprotect(struct stacks *s, char *stack)
{
    if (atomic_fetch_add(&mprotected, 1) < mprotect_limit() &&
        mprotect(stack, STACK_PAGE, PROT_NONE) == 0) {
        s->nprotected++;
        return true;
    }
    atomic_fetch_sub(&mprotected, 1);
    return false;
}

static void guard(struct stacks *s, char *stack)
{
    uint32_t got = LS_ABI_GUARD_CANARY;
    if (s->guard <= LS_ABI_GUARD_MADVISE && (stack < s->prepared || guard_by_madvise(stack)))
        got = LS_ABI_GUARD_MADVISE;
    else if (s->guard <= LS_ABI_GUARD_MPROTECT && guard_by_mprotect(s, stack))
        got = LS_ABI_GUARD_MPROTECT;
    else
        ls__stack_set_canary(s, stack);
    if (got > s->guard) {
        s->guard = got;
        ls__table_set_guard(got);
    }
}

void ls__stack_set_canary(struct stacks *s, char *stack)
{
    (void)s;
    memset(stack, CANARY, CANARY_BYTES);
}

bool ls__stack_canary_dead(const struct stacks *s, const char *stack)
{
    if (s->guard != LS_ABI_GUARD_CANARY)
        return false;
    for (int i = 0; i < CANARY_BYTES; i++)
        if ((unsigned char)stack[i] != CANARY)
            return true;
    return false;
}

int ls__stacks_init(struct stacks *s, size_t size, uint32_t keep, bool poison)
{
    memset(s, 0, sizeof(*s));
    s->size = (size + STACK_PAGE - 1) & ~(size_t)(STACK_PAGE - 1);
    if (s->size < 4 * STACK_PAGE || s->size > SLAB_BYTES)
        return -EINVAL;
    s->keep = keep;
    s->poison = poison;
    s->ntrimmed = poison ? UINT32_MAX : 0;
    return 0;
}

// Each stack by itself: within one, valgrind takes a jump of the stack pointer for growing or shrinking.
static int tell_valgrind(const struct stacks *s, struct slab *slab)
{
    if (!RUNNING_ON_VALGRIND)
        return 0;
    if (!(slab->valgrind_ids = calloc(slab->size / s->size, sizeof(unsigned))))
        return -ENOMEM;
    for (size_t i = 0; i < slab->size / s->size; i++) {
        char *stack = slab->base + i * s->size;
        slab->valgrind_ids[i] = VALGRIND_STACK_REGISTER(stack + STACK_PAGE, stack + s->size - 1);
    }
    return 0;
}

static void forget_from_valgrind(const struct stacks *s, struct slab *slab)
{
    for (size_t i = 0; slab->valgrind_ids && i < slab->size / s->size; i++)
        VALGRIND_STACK_DEREGISTER(slab->valgrind_ids[i]);
    free(slab->valgrind_ids);
}

void ls__stacks_free(struct stacks *s)
{
    for (uint32_t i = 0; i < s->nslabs; i++) {
        forget_from_valgrind(s, &s->slabs[i]);
        munmap(s->slabs[i].base, s->slabs[i].size);
    }
    atomic_fetch_sub(&mprotected, s->nprotected);
    free(s->slabs);
    free(s->pool);
    memset(s, 0, sizeof(*s));
}

static bool grow_array(void *array, uint32_t *cap, uint32_t need, size_t item)
{
    if (need <= *cap)
        return true;
    uint32_t bigger = *cap ? *cap * 2 : 64;
    while (bigger < need)
        bigger *= 2;
    void *p = realloc(*(void **)array, bigger * item);
    if (!p)
        return false;
    *(void **)array = p;
    *cap = bigger;
    return true;
}

static int add_slab(struct stacks *s)
{
    if (!grow_array(&s->slabs, &s->slabs_cap, s->nslabs + 1, sizeof(*s->slabs)))
        return -ENOMEM;
    size_t size = SLAB_BYTES / s->size * s->size;
    char *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (base == MAP_FAILED)
        return -ENOMEM;
    madvise(base, size, MADV_NOHUGEPAGE); // a huge page would make 64 KB stacks cost 64 KB
    s->slabs[s->nslabs] = (struct slab){base, size, NULL};
    if (tell_valgrind(s, &s->slabs[s->nslabs]) < 0) {
        munmap(base, size);
        return -ENOMEM;
    }
    s->nslabs++;
    s->fresh = s->prepared = base;
    s->fresh_end = base + size;
    return 0;
}

static char *new_stack(struct stacks *s)
{
    // The pool must be able to take every stack back: room is made here, where failing is fine.
    if (!grow_array(&s->pool, &s->pool_cap, s->total + 1, sizeof(*s->pool)))
        return NULL;
    if (s->fresh == s->fresh_end && add_slab(s) < 0)
        return NULL;
    prepare(s);
    char *stack = s->fresh;
    s->fresh += s->size;
    s->total++;
    guard(s, stack);
    return stack;
}

char *ls__stack_take_cold(struct stacks *s)
{
    if (s->npool == 0)
        return new_stack(s);
    char *stack = s->pool[--s->npool];
    if (s->poison)
        ls__stack_unpoison(s, stack);
    else if (s->ntrimmed > s->npool)
        s->ntrimmed = s->npool;
    return stack;
}

void ls__stack_poison(struct stacks *s, char *stack)
{
    if (s->guard == LS_ABI_GUARD_MADVISE)
        madvise(stack, s->size, MADV_GUARD_INSTALL);
    else if (RUNNING_ON_VALGRIND)
        VALGRIND_MAKE_MEM_NOACCESS(stack + STACK_PAGE, s->size - STACK_PAGE);
    else
        memset(stack + s->size - STACK_PAGE, 0xdb, STACK_PAGE);
}

void ls__stack_unpoison(struct stacks *s, char *stack)
{
    if (s->guard == LS_ABI_GUARD_MADVISE) {
        madvise(stack + STACK_PAGE, s->size - STACK_PAGE, MADV_GUARD_REMOVE); // now zero
        return;
    }
    VALGRIND_MAKE_MEM_UNDEFINED(stack + STACK_PAGE, s->size - STACK_PAGE);
    memset(stack + s->size - STACK_PAGE, 0, STACK_PAGE);
}

// The coldest free stacks are at the bottom of the pool.
bool ls__stacks_trim(struct stacks *s, void (*goes)(void *ctx, char *stack), void *ctx)
{
    if (s->poison || s->npool < s->keep + s->ntrimmed)
        return false;
    uint32_t n = s->npool - s->keep - s->ntrimmed;
    bool more = n > TRIM_AT_ONCE;
    if (more)
        n = TRIM_AT_ONCE;
    for (uint32_t i = 0; i < n; i++) {
        char *stack = s->pool[s->ntrimmed + i];
        goes(ctx, stack);
        madvise(stack + STACK_PAGE, s->size - STACK_PAGE, MADV_DONTNEED);
    }
    s->ntrimmed += n;
    return more;
}

char *ls__stack_find(const struct stacks *s, const char *address)
{
    for (uint32_t i = 0; i < s->nslabs; i++) {
        const struct slab *slab = &s->slabs[i];
        if (address >= slab->base && address < slab->base + slab->size)
            return slab->base + (size_t)(address - slab->base) / s->size * s->size;
    }
    return NULL;
}

bool ls__stack_is_free(const struct stacks *s, const char *stack)
{
    for (uint32_t i = 0; i < s->npool; i++)
        if (s->pool[i] == stack)
            return true;
    return stack == s->dying;
}
