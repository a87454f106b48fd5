// A target's child processes.
#ifndef LOOPSCOPE_CHILDREN_H
#define LOOPSCOPE_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>

// "child 4711 (sleep)"; false when there is no such process.
bool child_text(int child, char *buf, size_t size);
// The newest living child that thread tid of pid has started; 0 none. Needs CONFIG_PROC_CHILDREN.
int newest_child(int pid, int tid);

#endif
