// libuv's default loop in a process: where it is, what it waits on, and its own count of turns.
#ifndef LOOPSCOPE_STACK_UV_LOOP_H
#define LOOPSCOPE_STACK_UV_LOOP_H

#include "process.h"
#include "stacker.h"

unsigned uv_version_of(struct process *p); // major << 16 | minor << 8 | patch; 0 unknown
// Fills uv_loop, uv_backend_fd and uv_loop_count; leaves what it cannot prove.
void read_uv_loop(struct process *p, struct identity *ret);

#endif
