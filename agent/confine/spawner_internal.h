// What passes between the agent and a spawner: messages of these sizes, over a SOCK_SEQPACKET pair.
#ifndef LOOPSCOPE_CONFINE_SPAWNER_INTERNAL_H
#define LOOPSCOPE_CONFINE_SPAWNER_INTERNAL_H

#include "side.h"
#include "spawner.h"

enum order_kind { ORDER_START, ORDER_SIGNAL };

struct order { // with one descriptor, for a start that has one
    enum order_kind kind;
    pid_t pid;
    int number;
};

enum reply_kind { REPLY_DONE, REPLY_ENDED };

struct reply {
    enum reply_kind kind;
    pid_t pid; // DONE of a start: of what was started, or -errno; DONE of a signal: 0 or -errno
    struct spawn_end end;
};

// The spawner's life; never returns.
void spawner_live(int fd, const struct spawn_program *program) __attribute__((noreturn));

#endif
