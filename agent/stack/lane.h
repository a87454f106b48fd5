// One helper process and the way to it.
#ifndef LOOPSCOPE_STACK_LANE_H
#define LOOPSCOPE_STACK_LANE_H

#include <stdint.h>
#include <sys/types.h>

#include "../confine/spawner.h"
#include "wire.h"

struct lane {
    struct spawner *spawner; // starts and ends it; not owned
    pid_t pid;               // 0: none runs
    struct wire wire;
    uint32_t generation; // rises with each start: what an earlier one was told is lost
    int64_t cpu_ns_of_dead;
    int64_t started;
    int nghosts;
    pid_t ghosts[8]; // killed, not dead yet: stuck in the kernel on a target's memory
};

int lane_start(struct lane *l); // -errno
void lane_stop(struct lane *l); // kills it and reaps it; nothing when none runs
int64_t lane_cpu_ns(const struct lane *l);
int64_t lane_rss_anon(const struct lane *l);

#endif
