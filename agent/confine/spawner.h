// A process of its own that starts one program, as often as it is asked to.
//
// Once attached, the agent may neither fork, execute nor signal (see confine.h), yet helpers that died must be
// started anew, a COMMAND must be ended and --exec must run. A spawner is forked before that and keeps what the
// agent gives up. So it can do very little: it was told at its birth which program it starts, with which words;
// orders are of a fixed size; it signals only what it started itself and has not reaped. An agent that is taken
// over gains from it no more than another start of that same program.
//
// It ends with the agent, whatever ends the agent. What it started goes on, unless it ends by itself.
//
// Threads: one at a time. Descriptors: all are close-on-exec.
#ifndef LOOPSCOPE_CONFINE_SPAWNER_H
#define LOOPSCOPE_CONFINE_SPAWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spawner;

struct spawn_program {
    const char *file;  // looked for in PATH when it has no '/'
    char *const *argv; // read at spawner_open only
    int fd;            // where the program finds the descriptor given at its start; -1: gets none
    bool own_group;    // ^C at the terminal is not for it
    bool out_to_err;   // its stdout is our stderr: ours is for programs
};

struct spawn_end {
    int status; // as of waitpid
    int64_t cpu_ns;
};

int spawner_open(struct spawner **ret, const struct spawn_program *program); // -errno
void spawner_close(struct spawner *s);                                       // NULL is fine
pid_t spawner_pid(const struct spawner *s);

// fd stays the caller's; -1 none. The pid, or -errno of the start (-EPIPE: the spawner was killed). Signals are
// neither blocked nor ignored in what is started.
pid_t spawner_start(struct spawner *s, int fd);
int spawner_signal(struct spawner *s, pid_t pid,
                   int number); // -ESRCH: it has ended, or is not its own
// Whether it has ended; waits for it at most so long. Its end is told once.
bool spawner_ended(struct spawner *s, pid_t pid, int wait_ms, struct spawn_end *ret);
// The spawner itself has ended, as was found when it was last asked: no end will be told any more, and its
// descriptor stays readable.
bool spawner_is_gone(const struct spawner *s);
int spawner_fd(const struct spawner *s); // readable when something has ended, or the spawner itself

#endif
