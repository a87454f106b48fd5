// Native frames of a captured thread by libdwfl, and what the walkers ask about the process.
#ifndef LOOPSCOPE_TEST_NATIVE_H
#define LOOPSCOPE_TEST_NATIVE_H

#include "../../../agent/stack/lang.h"
#include "capture.h"

struct native; // one process

struct native *native_open(int pid);
void native_close(struct native *n);
struct mem *native_mem(struct native *n);
const struct lang_process *native_process(struct native *n);
// Leaf first; strings live until native_close.
int native_frames(struct native *n, const struct sample *s, struct native_frame *frames, int max);

#endif
