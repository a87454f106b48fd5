// Threads and processes as they come and go.
#ifndef LOOPSCOPE_THREADS_H
#define LOOPSCOPE_THREADS_H

#include "model.h"

// Puts a process under watch: probes, memory for the helper, identity asked for. -errno, *err
// filled.
int proc_add(struct model *m, int pid, struct error *err);
// Asks once more what it is, where that was not clear and time has passed.
void proc_ask_again(struct model *m, struct proc *p);
void proc_remove(struct model *m, struct proc *p); // frees it and all it has
struct proc *proc_find(struct model *m, int pid);
struct thread *model_thread(struct model *m, int tid);
struct thread *model_add_thread(struct model *m, struct proc *p, int tid);
void model_remove_thread(struct model *m, struct thread *t);
bool proc_is_judged(const struct proc *p);
void thread_event(struct model *m, const struct probe_thread_event *e);

#endif
