// Puts the terminal back when the program dies: a user must never be left with a screen that does not
// echo. Only async-signal-safe calls are made; afterwards the signal goes to whoever had it before, so
// that the parent sees the true cause and a sanitizer or core dump still works.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "term.h"

static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
#define NFATAL (sizeof(fatal) / sizeof(*fatal))

// A handler gets no argument of ours: this one state is global.
static struct {
    int fd;
    struct termios before;
    bool has_termios, installed;
    char leave[256];
    size_t size;
    struct sigaction old[NFATAL];
    stack_t old_stack;
    void *stack;
} guard;

static void put(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(guard.fd, text, size);
        if (n <= 0)
            return;
        text += n;
        size -= (size_t)n;
    }
}

static void on_fatal(int number)
{
    static const char last[] = "loopscope died of a fatal signal; the terminal was put back.\r\n";
    put(guard.leave, guard.size);
    if (guard.has_termios)
        tcsetattr(guard.fd, TCSANOW, &guard.before);
    put(last, sizeof(last) - 1);
    for (size_t i = 0; i < NFATAL; i++)
        if (fatal[i] == number)
            sigaction(number, &guard.old[i], NULL);
    raise(number); // delivered when this handler returns
}

void guard_install(int fd, const char *leave, size_t size)
{
    if (guard.installed)
        return;
    guard.fd = fd;
    guard.has_termios = tcgetattr(fd, &guard.before) == 0;
    guard.size = size < sizeof(guard.leave) ? size : sizeof(guard.leave);
    memcpy(guard.leave, leave, guard.size);
    // A stack overflow leaves no stack to handle it on.
    guard.stack = malloc((size_t)SIGSTKSZ);
    if (guard.stack) {
        stack_t s = {.ss_sp = guard.stack, .ss_size = (size_t)SIGSTKSZ};
        sigaltstack(&s, &guard.old_stack);
    }
    struct sigaction action = {.sa_handler = on_fatal, .sa_flags = guard.stack ? SA_ONSTACK : 0};
    for (size_t i = 0; i < NFATAL; i++)
        sigaction(fatal[i], &action, &guard.old[i]);
    guard.installed = true;
}

void guard_remove(void)
{
    if (!guard.installed)
        return;
    for (size_t i = 0; i < NFATAL; i++)
        sigaction(fatal[i], &guard.old[i], NULL);
    if (guard.stack) {
        sigaltstack(&guard.old_stack, NULL);
        free(guard.stack);
        guard.stack = NULL;
    }
    guard.installed = false;
}
