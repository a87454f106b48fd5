// Tasks of a process as its runtime's own objects tell: read every so often, aged and summed here.
#ifndef LOOPSCOPE_TASKS_H
#define LOOPSCOPE_TASKS_H

#include "model.h"

struct task_book;

void tasks_tick(struct model *m, struct proc *p); // asks for them when it is time to
int64_t tasks_next_ns(const struct model *m);     // of all processes; INT64_MAX
void tasks_free(struct task_book *b);             // NULL is fine
// Sites, totals, suspicious tasks and the page wished for, of all processes.
void tasks_assemble(struct model *m, struct snap *s);
// A stack names its task by the address of the object ("0x7f.."): its id in the tables; NULL: not read yet.
const char *tasks_id(const struct proc *p, const char *address);

#endif
