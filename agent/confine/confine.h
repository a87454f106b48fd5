// What the agent gives up once it is attached.
//
// It is started with what loading its probes takes (as root: with everything) and goes on with what looking at further
// processes takes: CAP_BPF and CAP_PERFMON (a probe a process), CAP_SYS_PTRACE (memory and /proc of others),
// CAP_DAC_READ_SEARCH (files of theirs behind folders that are closed) and CAP_CHECKPOINT_RESTORE (a library that was
// replaced on disk, by /proc/PID/map_files). Of these it keeps what it has, and nothing else
// (but CAP_DAC_OVERRIDE where its output cannot be written without it, and CAP_SYS_ADMIN for uprobes): no capability
// can be gained anew (bounding set, no_new_privs), and a system call filter allows what it does from then on. It does not
// fork, execute, signal another process, trace, write another's memory, connect, or - unless it was told to write
// somewhere - open any file for writing. So a target is safe from an agent that was taken over, too.
//
// What must be started later is started by a spawner (spawner.h), and where perf events take more than the agent keeps
// an opener opens them (opener.h); both are made before.
#ifndef LOOPSCOPE_CONFINE_CONFINE_H
#define LOOPSCOPE_CONFINE_CONFINE_H

#include <stdbool.h>

#include "../error.h"
#include "opener.h"
#include "spawner.h"

struct confinement {
    struct spawner *helpers; // starts them; owned by who fills this
    struct opener *events;   // opens perf events; NULL: the agent may itself. Owned as above
    bool writes;             // files are opened for writing, made and removed later
    bool unlinks;            // a socket is removed at the end
    bool uprobes; // are attached later (--handles, --thread-checks): takes CAP_SYS_ADMIN, which is kept
    const char *output; // a file that is (re)written later; NULL none
    bool entered;
};

// Once; later calls do nothing. Before any thread is started: capabilities are a thread's. -errno, *err filled: the
// caller must not go on.
int confine(struct confinement *c, struct error *err);

int confine_filter(const struct confinement *c); // confine's last step; -errno

#endif
