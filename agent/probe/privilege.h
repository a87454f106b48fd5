// Which privilege is missing, and how to get it.
#ifndef LOOPSCOPE_PROBE_PRIVILEGE_H
#define LOOPSCOPE_PROBE_PRIVILEGE_H

#include <stdbool.h>

#include "../error.h"

#define SETCAP_LINE "setcap cap_bpf,cap_perfmon,cap_sys_ptrace+ep loopscope"
// Of other users' processes some files of /proc are closed to CAP_SYS_PTRACE alone.
#define SETCAP_OTHERS_LINE                                                                         \
    "setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep loopscope"

enum capability {
    CAPABILITY_DAC_READ_SEARCH = 2,
    CAPABILITY_SYS_PTRACE = 19,
    CAPABILITY_SYS_ADMIN = 21,
    CAPABILITY_PERFMON = 38,
    CAPABILITY_BPF = 39
};

bool capable(enum capability capability);
long sysctl_number(const char *path); // -1: there is none

// The hint for a process that we may not look into.
void privilege_hint_process(struct error *err, int pid);
// Writes "what: why" and the remedy as the hint; returns -errno.
int privilege_explain(struct error *err, int errnum, const char *what);
// The events of the kernel name threads by the numbers of the machine's own pid namespace. 0: so do we; else -errno.
int privilege_check_pids(struct error *err);

#endif
