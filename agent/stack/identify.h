// Which runtime a process is, from its mappings, symbols and memory.
#ifndef LOOPSCOPE_STACK_IDENTIFY_H
#define LOOPSCOPE_STACK_IDENTIFY_H

#include "process.h"
#include "stacker.h"

void identify(struct process *p, struct identity *ret);

#endif
