#include "command.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define GRACE_MS 5000

extern char **environ;

int command_start(struct command_run *c, char **argv, struct error *err)
{
    posix_spawnattr_t attr;
    sigset_t none, all;
    *c = (struct command_run){.exit = INT64_MIN};
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    sigfillset(&all);
    // It gets the signals as a shell would give them, whatever we block or ignore for ourselves.
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int e = posix_spawnp(&c->pid, argv[0], NULL, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    if (e)
        return error_set(err, STATUS_NO_ATTACH, e, "cannot start %s: %s", argv[0], strerror(e));
    return 0;
}

static void note_end(struct command_run *c, int status)
{
    c->exit = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool command_poll(struct command_run *c)
{
    int status;
    if (c->pid > 0 && c->exit == INT64_MIN && waitpid(c->pid, &status, WNOHANG) == c->pid)
        note_end(c, status);
    return c->exit != INT64_MIN;
}

static bool ended_within(struct command_run *c, int ms)
{
    for (int waited = 0; waited < ms && !command_poll(c); waited += 10)
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000}, NULL);
    return command_poll(c);
}

void command_stop(struct command_run *c)
{
    int status;
    if (c->pid <= 0 || command_poll(c))
        return;
    kill(c->pid, SIGTERM);
    kill(c->pid, SIGCONT); // a stopped one could not act on it
    if (ended_within(c, GRACE_MS))
        return;
    kill(c->pid, SIGKILL);
    if (waitpid(c->pid, &status, 0) == c->pid)
        note_end(c, status);
}
