// A stack overflow ends the program, as it must; but first it says which task it was.
//
// One SIGSEGV handler a process, on an alternate stack a thread; faults that are not ours go to whoever had the
// signal before. The handler uses only what is safe in a signal handler.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"

#define ALTSTACK_BYTES ((size_t)32 << 10)

struct altstack {
    stack_t before;
    bool ours;
    char bytes[ALTSTACK_BYTES];
};

static struct sigaction previous[2]; // SIGSEGV, SIGBUS

static void put(const char *text)
{
    ssize_t unused = write(STDERR_FILENO, text, strlen(text));
    (void)unused;
}

static void put_number(uint64_t n)
{
    char digits[24], *p = digits + sizeof(digits) - 1;
    *p = 0;
    do
        *--p = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    put(p);
}

static void tell(const struct ls_loop *l, const struct task *t, bool free_stack)
{
    put(free_stack ? "\nloopscope: use of the stack of a task that has ended"
                   : "\nloopscope: stack overflow");
    if (t) {
        put(free_stack ? ", by task \"" : " in task \"");
        put(ls__task_label(t));
        put("\" (");
        put_number((uint64_t)t->id);
        put(")");
        if (t->spawn_site) {
            put(" spawned at ");
            put(t->spawn_site->file);
            put(":");
            put_number(t->spawn_site->line);
        }
    }
    put("; its stack has ");
    put_number(l->stacks.size >> 10);
    put(" KB (ls_options.stack_size)\n");
}

static bool is_ours(const struct ls_loop *l, const char *address)
{
    char *stack = l ? ls__stack_find(&l->stacks, address) : NULL;
    if (!stack)
        return false;
    bool in_guard = address < stack + STACK_PAGE;
    bool free_stack = l->stacks.poison && ls__stack_is_free(&l->stacks, stack);
    if (!in_guard && !free_stack)
        return false;
    tell(l, l->current, free_stack);
    return true;
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
    struct sigaction *before = &previous[sig == SIGBUS];
    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(sig, info, context);
    } else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) {
        before->sa_handler(sig);
    } else {
        signal(sig, SIG_DFL); // the fault comes again, and ends the program with a core
    }
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
    is_ours(ls__loop, info->si_addr);
    pass_on(sig, info, context);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &previous[0]);
    sigaction(SIGBUS, &action, &previous[1]);
}

int ls__overflow_watch(struct ls_loop *l)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    l->altstack = calloc(1, sizeof(*l->altstack));
    if (!l->altstack)
        return -ENOMEM;
    sigaltstack(NULL, &l->altstack->before);
    if (l->altstack->before.ss_flags &
        SS_DISABLE) { // else the thread has one, a sanitizer's for example
        stack_t s = {.ss_sp = l->altstack->bytes, .ss_size = sizeof(l->altstack->bytes)};
        l->altstack->ours = sigaltstack(&s, NULL) == 0;
    }
    pthread_once(&once, install);
    return 0;
}

void ls__overflow_unwatch(struct ls_loop *l)
{
    if (l->altstack && l->altstack->ours)
        sigaltstack(&l->altstack->before, NULL);
    free(l->altstack);
    l->altstack = NULL;
}
