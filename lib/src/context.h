// What the processor needs to leave one stack and go on with another, and what the sanitizers and valgrind
// must be told about it.
#ifndef LS_CONTEXT_H
#define LS_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define LS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LS_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define LS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LS_TSAN 1
#endif
#endif

#ifdef LS_ASAN
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom, size_t *size);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);
#endif
#ifdef LS_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
#endif

struct context {
    void *sp; // first: the live table points here
#ifdef LS_ASAN
    void *fake_stack;
    const void *bottom; // without the guard page: ASan writes its shadow
    size_t size;
#endif
#ifdef LS_TSAN
    void *fiber;
#endif
};

// Saves the caller's context at *save and goes on with the one saved as `to`.
#if defined(__x86_64__) && !defined(LS_UCONTEXT)
// Inline, so that the compiler saves just what is live at the place; it must not keep anything in the red zone (-mno-red-zone).
// By jmp, because with call and ret the processor's return predictor would see the call of one stack and the return of
// another, and be wrong from then on: that costs more than the switch itself. Not saved: mxcsr and the x87
// control word, which all tasks of a thread share.
static inline __attribute__((always_inline)) void switch_context(void **save, void *to)
{
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "pushq %%rbp\n\t"
                     "movq %%rsp, (%%rdi)\n\t"
                     "movq %%rsi, %%rsp\n\t"
                     "popq %%rbp\n\t"
                     "popq %%rax\n\t"
                     "jmp *%%rax\n"
                     "1:"
                     : "+D"(save), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc",
                       "memory");
}
#else
void ls__switch_context(void **save, void *to);
#define switch_context ls__switch_context
#endif

// A context on the stack [low, top) that will call entry(arg), which must not return.
#if defined(__x86_64__) && !defined(LS_UCONTEXT)
void ls__task_entry(void);
static inline void *context_make(char *low, char *top, void (*entry)(void *arg), void *arg)
{
    (void)low;
    void **sp =
        (void **)((uintptr_t)top & ~(uintptr_t)15) - 6; // aligned for the entry as at a call
    sp[3] = arg;
    sp[2] = (void *)entry;
    sp[1] = (void *)ls__task_entry; // where to go on
    sp[0] = NULL;                   // rbp
    return sp;
}
#else
void *ls__context_make(char *low, char *top, void (*entry)(void *arg), void *arg);
#define context_make ls__context_make
#endif

// Goes from `from` to `to`; returns when somebody goes back to `from`, never when it is dying.
static inline __attribute__((always_inline)) void context_switch(struct context *from,
                                                                 struct context *to, int dying)
{
    (void)dying;
#ifdef LS_ASAN
    __sanitizer_start_switch_fiber(dying ? NULL : &from->fake_stack, to->bottom, to->size);
#endif
#ifdef LS_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    switch_context(&from->sp, to->sp);
#ifdef LS_ASAN
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

// First thing on a new stack; first time also learns where the loop's own stack is.
static inline void context_entered(struct context *loop)
{
    (void)loop;
#ifdef LS_ASAN
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(NULL, &bottom, &size);
    if (!loop->bottom) {
        loop->bottom = bottom;
        loop->size = size;
    }
#endif
}

#endif
