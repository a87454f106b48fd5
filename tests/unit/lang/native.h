// Native frames of a captured thread by the product's unwinder, and what the walkers ask about the
// process.
#ifndef LOOPSCOPE_TEST_NATIVE_H
#define LOOPSCOPE_TEST_NATIVE_H

#include "../../../agent/stack/lang.h"
#include "capture.h"

struct native; // one process

struct native *native_open(int pid);
void native_close(struct native *n); // NULL is fine
struct mem *native_mem(struct native *n);
const struct lang_process *native_process(struct native *n);
// Bounds the reads that follow; s NULL: no stack copy.
void native_begin(struct native *n, const struct sample *s, int64_t ms);
// Leaf first; strings live until the next call.
int native_frames(struct native *n, const struct sample *s, const struct native_frame **frames);

#endif
