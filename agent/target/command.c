#include "command.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define GRACE_MS  5000
#define KILLED_MS 5000

int command_start(struct command_run *c, char **argv, struct error *err)
{
    *c = (struct command_run){.exit = INT64_MIN};
    const struct spawn_program program = {.file = argv[0], .argv = argv, .fd = -1};
    int r = spawner_open(&c->spawner, &program);
    if (r == 0)
        r = c->pid = spawner_start(c->spawner, -1);
    if (r >= 0)
        return 0;
    spawner_close(c->spawner);
    *c = (struct command_run){.exit = INT64_MIN};
    return error_set(err, STATUS_NO_ATTACH, -r, "cannot start %s: %s", argv[0], strerror(-r));
}

bool command_ended_within(struct command_run *c, int ms)
{
    struct spawn_end end;
    if (c->exit != INT64_MIN)
        return true;
    if (c->pid <= 0 || !spawner_ended(c->spawner, c->pid, ms, &end))
        return false;
    c->exit = WIFSIGNALED(end.status) ? 128 + WTERMSIG(end.status) : WEXITSTATUS(end.status);
    return true;
}

bool command_poll(struct command_run *c)
{
    return command_ended_within(c, 0);
}

static void end_it(struct command_run *c)
{
    spawner_signal(c->spawner, c->pid, SIGTERM);
    spawner_signal(c->spawner, c->pid, SIGCONT); // a stopped one could not act on it
    if (command_ended_within(c, GRACE_MS))
        return;
    spawner_signal(c->spawner, c->pid, SIGKILL);
    command_ended_within(c, KILLED_MS);
}

void command_stop(struct command_run *c)
{
    if (c->pid > 0 && !command_poll(c))
        end_it(c);
    spawner_close(c->spawner);
    c->spawner = NULL;
}
