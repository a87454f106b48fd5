// The model as a snapshot.
#ifndef LOOPSCOPE_ASSEMBLE_H
#define LOOPSCOPE_ASSEMBLE_H

#include "model.h"

// Fills the facts of s: processes, loops, stalls, calls, events, lost. Host, agent and source are the
// session's to fill. Takes the waiting events; processes that have ended are forgotten afterwards.
void assemble(struct model *m, struct snap *s);

#endif
