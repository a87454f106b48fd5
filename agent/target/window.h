// The last ten seconds of a loop, and its worst turn of each of the last sixty.
#ifndef LOOPSCOPE_WINDOW_H
#define LOOPSCOPE_WINDOW_H

#include "model.h"

struct loop_history *window_new(void); // NULL: out of memory
void window_free(struct loop_history *h);
// Once a second: the window moves on.
void window_push(struct loop_history *h, const struct probe_stats *s, int64_t blocked_ns);
void window_read(struct loop_history *h,
                 const struct probe_stats *s); // between: the newest figures
void window_long_turn(struct loop_history *h, int64_t duration_ns);
void window_sum(const struct loop_history *h, struct loop_window *ret);
// Upper bound of the bucket that holds the share q of a histogram's turns; 0 when it is empty.
int64_t hist_percentile(const uint32_t *hist, double q);
// Into the buckets of a snapshot (snap_lag_bounds_ns).
void hist_to_lag(const uint32_t *hist, uint32_t lag_hist[16]);

#endif
