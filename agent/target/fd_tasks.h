// Which task of a program on our runtime opened a descriptor, and what became of it.
//
// The tracker reads the task's id and spawn site at the opening (probe/fd_track.h); here they get words, from
// the live table that the thread's loop belongs to.
#ifndef LOOPSCOPE_FD_TASKS_H
#define LOOPSCOPE_FD_TASKS_H

#include "../probe/fd_track.h"
#include "live.h"

struct fd_task {
    const struct live *live; // of the same process, and lives as long; NULL: not known
    uint64_t id;             // 0: none
    uint32_t site;
};

// Tells the tracker where the loops of the process say which task they run.
void fd_tasks_tell(struct fd_track *t, const struct proc *p);
struct fd_task fd_task_of(const struct proc *p, const struct fd_slot *slot);
// The task has ended. Not known yet is false: opened_ns says from when on it must be in what was read.
bool fd_task_is_over(const struct fd_task *t, int64_t opened_ns);
// A task of the process waits on this descriptor: it has been handed on.
bool fd_task_waits_on(const struct proc *p, int fd);
bool fd_task_same_site(const struct fd_task *a, const struct fd_task *b);
void fd_task_refer(const struct fd_task *t, struct snap *box, struct task_ref *ret);

#endif
