#include "context.h"

#include <string.h>

#ifdef LS_UCONTEXT
// Portable fallback: glibc's ucontext. Slow (a system call a switch), and the saved registers cannot be read from
// outside. The context lies at the top of the stack for a new task, on the suspended stack afterwards.
#include <ucontext.h>

struct start {
    ucontext_t context;
    void (*entry)(void *arg);
    void *arg;
};

static void start_on_new_stack(unsigned high, unsigned low)
{
    struct start *s = (struct start *)(((uintptr_t)high << 32) | low);
    s->entry(s->arg);
    __builtin_trap();
}

void *ls__context_make(char *low, char *top, void (*entry)(void *arg), void *arg)
{
    uintptr_t at = ((uintptr_t)top - sizeof(struct start)) & ~(uintptr_t)63;
    struct start *s = (struct start *)at;
    getcontext(&s->context);
    s->entry = entry;
    s->arg = arg;
    s->context.uc_stack.ss_sp = low;
    s->context.uc_stack.ss_size = at - (uintptr_t)low;
    s->context.uc_link = NULL;
    makecontext(&s->context, (void (*)(void))start_on_new_stack, 2, (unsigned)(at >> 32),
                (unsigned)at);
    return &s->context;
}

void ls__switch_context(void **save, void *to)
{
    ucontext_t here;
    *save = &here;
    swapcontext(&here, to);
}

#elif !defined(__x86_64__)

void ls__task_entry(void);

void *ls__context_make(char *low, char *top, void (*entry)(void *arg), void *arg)
{
    (void)low;
    void **sp = (void **)((uintptr_t)top & ~(uintptr_t)15);
#if defined(__aarch64__)
    sp -= 20;
    memset(sp, 0, 160);
    sp[0] = (void *)entry;           // x19
    sp[1] = arg;                     // x20
    sp[11] = (void *)ls__task_entry; // x30
#else
#error "no context switch for this architecture: configure with LOOPSCOPE_UCONTEXT=ON"
#endif
    return sp;
}
#endif
