// `watch --exec`: one command at a time, a finding's JSON on its stdin, at most one start a second.
// What waits beyond HOOK_QUEUE is left out, which is said once.
#ifndef LOOPSCOPE_HOOK_H
#define LOOPSCOPE_HOOK_H

#include <stddef.h>
#include <uv.h>

#include "error.h"

#define HOOK_QUEUE 64

struct hook;
// Before the agent gives up its right to start anything: it has a spawner do it.
int hook_open(struct hook **ret, uv_loop_t *loop, const char *command, struct error *err);
// Queues one run. Takes json (malloc'ed).
void hook_run(struct hook *h, char *json, size_t size);
// No new run; one that runs is left to end by itself. Frees h within the loop. NULL is fine.
void hook_close(struct hook *h);

#endif
