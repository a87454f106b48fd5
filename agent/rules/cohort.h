// The cohort rule: what it looks at is gathered in target/fd_sites.c, whose essay says why.
#ifndef LOOPSCOPE_COHORT_H
#define LOOPSCOPE_COHORT_H

#include "engine.h"

// The shortest horizon beyond which nothing is closed any more; NULL: none.
const struct fd_cohort *cohort_leaking(const struct snap_fd_site *s, double share, double min);
bool cohort_keeps_growing(const int64_t sixths[6]); // of a site that never closed anything
bool cohort_seen_enough(const struct snap_fd_site *s);

#endif
