// Blocking calls of a loop, summed by call and first argument over the last ten seconds.
#ifndef LOOPSCOPE_CALLS_H
#define LOOPSCOPE_CALLS_H

#include "model.h"

void calls_seen(struct model *m, struct thread *t, const struct probe_calls *c);
void calls_turn(struct thread *t);                              // a second has passed
void calls_free(struct call_sum *list);                         // NULL is fine
bool calls_are_known(const struct call_sum *c, int64_t now_ns); // worth showing
// Totals of the window; false when it had no call.
bool calls_window(const struct call_sum *c, struct snap_calls *ret);

#endif
