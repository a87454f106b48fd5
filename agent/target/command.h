// A program that we start to watch it (-- COMMAND): the only one that is ever signalled.
#ifndef LOOPSCOPE_COMMAND_H
#define LOOPSCOPE_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "../confine/spawner.h"
#include "../error.h"

struct command_run {
    struct spawner *spawner; // its parent; NULL before the start
    int pid;
    int64_t exit; // as a shell would show it; INT64_MIN while it runs
};

// Inherits stdin, stdout, stderr. -errno, *err filled.
int command_start(struct command_run *c, char **argv, struct error *err);
bool command_ended_within(struct command_run *c, int ms);
bool command_poll(struct command_run *c); // true: it has ended, c->exit is set
void command_stop(struct command_run *c); // SIGTERM, and SIGKILL after 5 s; waits for its end

#endif
