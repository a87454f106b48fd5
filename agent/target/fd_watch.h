// Descriptors of all watched processes: when to look, whose openers to follow, what goes into the picture.
#ifndef LOOPSCOPE_FD_WATCH_H
#define LOOPSCOPE_FD_WATCH_H

#include "model.h"

void fds_tick(struct model *m); // looks at every process whose time has come
int64_t fds_next_ns(const struct model *m);
void fds_assemble(struct model *m, struct snap *s);
// What the rules made of the picture: enough may be known of an opener.
void fds_judged(struct model *m, const struct snap *s);

#endif
