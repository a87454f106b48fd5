// Helpers are started and nobody asks how they ended.
#include "gallery.h"

#include <spawn.h>
#include <sys/wait.h>

#define KEPT 500 // then the oldest is reaped, so that the program can go on for ever

static void start_helper(void)
{
    static pid_t children[KEPT];
    static unsigned next;
    static char *const words[] = {"true", NULL};
    pid_t *child = &children[next++ % KEPT];
    if (*child > 0)
        waitpid(*child, NULL, 0);
    check(-posix_spawnp(child, words[0], NULL, NULL, words, environ), "true");
}

static int64_t wrong(void *arg)
{
    (void)arg;
    while (ls_check() == 0) {
        start_helper();
        check(ls_sleep(LS_MSEC(150)), "sleep");
    }
    return ls_check();
}

static int64_t cured(void *arg)
{
    static const char *const words[] = {"true", NULL};
    const struct ls_process_options options = {.argv = words};
    (void)arg;
    while (ls_check() == 0) {
        ls_process *helper;
        check(ls_process_start(&helper, &options), "true");
        check(ls_process_wait(helper, LS_FOREVER), "helper");
        ls_process_free(helper);
        check(ls_sleep(LS_MSEC(150)), "sleep");
    }
    return ls_check();
}

const struct exhibit child_zombie = {"child-zombie", "children are started and never waited for",
                                     wrong, cured, false};
