// Timers of a libuv loop that has much to do.
//
// A loop's idea of the time stands still within a turn, and the timers that are due by then run before it polls. If a
// callback brings that time up to date (uv_update_time) and starts a timer that is due at once, libuv before 1.45 runs
// that one in the same turn: an agent that is late all the time, on a machine without a CPU for it, would never poll
// again, and hear no signal. So: timers are counted from the true time without touching the loop's, and never due in
// the turn that starts them.
#ifndef LOOPSCOPE_TIMER_H
#define LOOPSCOPE_TIMER_H

#include <uv.h>

static inline uint64_t timer_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

// Starts it anew, ns from now.
static inline int timer_after(uv_timer_t *timer, uv_timer_cb cb, int64_t ns)
{
    uint64_t now = timer_now_ms(), loop_now = uv_now(timer->loop);
    uint64_t ms = (uint64_t)((ns + 999999) / 1000000) + (now > loop_now ? now - loop_now : 0);
    return uv_timer_start(timer, cb, ms > 0 ? ms : 1, 0);
}

#endif
