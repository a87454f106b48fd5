// Helpers are started and nobody asks how they ended.
#include "gallery.h"

#include <spawn.h>
#include <sys/wait.h>

#define KEPT 500 // then the oldest is reaped, so that the program can go on for ever

static pid_t start_helper(void)
{
    static char *const words[] = {"true", NULL};
    pid_t child;
    check(-posix_spawnp(&child, words[0], NULL, NULL, words, environ), "true");
    return child;
}

static void start_and_forget(void)
{
    static pid_t children[KEPT];
    static unsigned next;
    pid_t *oldest = &children[next++ % KEPT];
    if (*oldest > 0)
        waitpid(*oldest, NULL, 0);
    *oldest = start_helper();
}

// On the pool: starting a program takes until it has been loaded.
static int64_t run_helper(void *arg)
{
    int status;
    (void)arg;
    return waitpid(start_helper(), &status, 0) < 0 ? -errno : WEXITSTATUS(status);
}

static int64_t wrong(void *arg)
{
    (void)arg;
    while (ls_check() == 0) {
        start_and_forget();
        check(ls_sleep(LS_MSEC(150)), "sleep");
    }
    return ls_check();
}

static int64_t cured(void *arg)
{
    (void)arg;
    while (ls_check() == 0) {
        check(ls_offload(run_helper, NULL, LS_FOREVER), "helper");
        check(ls_sleep(LS_MSEC(150)), "sleep");
    }
    return ls_check();
}

const struct exhibit child_zombie = {"child-zombie", "children are started and never waited for",
                                     wrong, cured, false};
