// What /proc says of a process: whether it can be watched, its names, its inventory.
#ifndef LOOPSCOPE_PROCS_H
#define LOOPSCOPE_PROCS_H

#include "model.h"

// Checks that pid can be watched and reads its names. -errno, *err filled: one clear line.
int proc_new(struct model *m, int pid, struct proc **ret, struct error *err);
void proc_free(struct proc *p);
int proc_check(int pid, struct error *err); // the check alone
void proc_read_names(struct proc *p);
void proc_judge_runtime(struct proc *p); // why_not for runtimes whose poller is no event loop
void proc_inventory(struct proc *p);     // descriptors, limits, memory of one
// The same and zombies of all processes; finds reused pids. Every few seconds.
void procs_inventory(struct model *m);
// The base name of the script an interpreter runs ("app.js" of "node app.js"); false: none.
bool script_name(const char *cmdline, char *buf, size_t size);

#endif
