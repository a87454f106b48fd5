// A target whose stack is known. It goes into the frames that its first argument names, says "ready" on
// stdout from the innermost, and stays there. Built with -O2 -fomit-frame-pointer.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile unsigned long sink;

#define FRAME __attribute__((noinline, noclone))

FRAME static void stay(void)
{
    if (write(1, "ready\n", 6) != 6)
        exit(1);
    for (;;)
        pause();
}

FRAME void leaf(void)
{
    stay();
    sink++;
}

FRAME void middle(void)
{
    leaf();
    sink++;
}

FRAME void outer(void)
{
    middle();
    sink++;
}

static inline __attribute__((always_inline)) void inlined_inner(void)
{
    stay();
    sink++;
}

static inline __attribute__((always_inline)) void inlined_outer(void)
{
    inlined_inner();
    sink++;
}

FRAME void has_inlines(void)
{
    inlined_outer();
    sink++;
}

FRAME void deep(int n)
{
    char pad[2000];
    memset(pad, n, sizeof(pad));
    if (n > 0)
        deep(n - 1);
    else
        stay();
    sink += (unsigned char)pad[n];
}

FRAME void recurse(int n)
{
    if (n > 0)
        recurse(n - 1);
    else
        stay();
    sink++;
}

static void on_signal(int sig)
{
    (void)sig;
    leaf();
    sink++;
}

FRAME void interrupted(void)
{
    raise(SIGUSR1);
    sink++;
}

static void use_signal_stack(void)
{
    static char stack[65536];
    stack_t s = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    sigaltstack(&s, NULL);
    sigaction(SIGUSR1, &a, NULL);
}

static void *in_thread(void *arg)
{
    (void)arg;
    outer();
    return NULL;
}

// Reads the clock through the vdso, over and over.
FRAME void clock_reader(void)
{
    struct timespec t;
    if (write(1, "ready\n", 6) != 6)
        exit(1);
    for (;;) {
        clock_gettime(CLOCK_MONOTONIC, &t);
        sink += (unsigned long)t.tv_nsec;
    }
}

// No call frame information, no frame pointer, a moving stack pointer: what hand-written assembly does.
void no_cfi(void (*f)(void));
__asm__(".text\n"
        ".globl no_cfi\n"
        ".type no_cfi, @function\n"
        "no_cfi:\n"
        "  sub $264, %rsp\n"
        "  movq $0x1234, 8(%rsp)\n"
        "  call *%rdi\n"
        "  add $264, %rsp\n"
        "  ret\n"
        ".size no_cfi, .-no_cfi\n");

FRAME void calls_assembly(void)
{
    no_cfi(leaf);
    sink++;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "plain";
    pthread_t t;
    if (!strcmp(mode, "plain"))
        outer();
    else if (!strcmp(mode, "inlined"))
        has_inlines();
    else if (!strcmp(mode, "deep"))
        deep(40);
    else if (!strcmp(mode, "recursion"))
        recurse(20000);
    else if (!strcmp(mode, "signal")) {
        signal(SIGUSR1, on_signal);
        interrupted();
    } else if (!strcmp(mode, "sigaltstack")) {
        use_signal_stack();
        interrupted();
    } else if (!strcmp(mode, "thread")) {
        pthread_create(&t, NULL, in_thread, NULL);
        pthread_join(t, NULL);
    } else if (!strcmp(mode, "vdso"))
        clock_reader();
    else if (!strcmp(mode, "assembly"))
        calls_assembly();
    return (int)sink;
}
