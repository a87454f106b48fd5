// Which processes a session watches: found at the start, born since, come back after a restart.
#ifndef LOOPSCOPE_FIND_TARGETS_H
#define LOOPSCOPE_FIND_TARGETS_H

#include "../opts.h"
#include "model.h"

struct follow;

// opts must outlive it. Adds nothing yet, except for a PID or COMMAND (root_pid), whose errors are told here.
int follow_new(struct follow **ret, struct model *m, const struct opts *opts, int root_pid,
               struct error *err);
void follow_free(struct follow *f);
void follow_tick(struct follow *f);              // looks for new ones when it is time to
int64_t follow_next_ns(const struct follow *f);  // CLOCK_MONOTONIC of the next thing to do
bool follow_has_ended(const struct follow *f);   // nothing will ever come again
bool follow_scanned(const struct follow *f);     // the first look is done
const char *follow_text(const struct follow *f); // "4711", "--name node": what was asked for

#endif
