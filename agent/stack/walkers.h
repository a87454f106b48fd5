// The language walkers of one process: attached when the language is there, asked one after the other.
#ifndef LOOPSCOPE_STACK_WALKERS_H
#define LOOPSCOPE_STACK_WALKERS_H

#include "lang.h"

struct process;
struct walkers;

// Attaches what is not attached yet, when code was loaded since the last try. Its reads are bounded by the
// present mem_begin of the process.
void walkers_refresh(struct process *p);
void walkers_free(struct walkers *w); // NULL is fine

int walkers_count(const struct walkers *w); // of those attached
const struct lang *walkers_lang(const struct walkers *w, int i, void **self);
const char *walkers_note(const struct walkers *w);    // of the last that refused a version; ""
const char *walkers_version(const struct walkers *w); // of the first attached; ""

#endif
