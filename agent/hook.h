// `watch --exec`: one command at a time, a finding's JSON on its stdin, at most one start a second.
// What waits beyond HOOK_QUEUE is left out, which is said once.
#ifndef LOOPSCOPE_HOOK_H
#define LOOPSCOPE_HOOK_H

#include <stddef.h>
#include <uv.h>

#define HOOK_QUEUE 64

struct hook;
struct hook *hook_new(uv_loop_t *loop, const char *command);
// Queues one run. Takes json (malloc'ed).
void hook_run(struct hook *h, char *json, size_t size);
// No new run; one that runs is left to end by itself. Frees h within the loop. NULL is fine.
void hook_close(struct hook *h);

#endif
