#include "window.h"

#include <stdlib.h>
#include <string.h>

struct loop_history *window_new(void)
{
    struct loop_history *h = calloc(1, sizeof(*h));
    for (int i = 0; h && i < LOOP_SPARK; i++)
        h->spark[i] = SNAP_UNKNOWN;
    return h;
}

void window_free(struct loop_history *h)
{
    if (!h)
        return;
    stack_unref(h->busy_stack);
    free(h);
}

static struct reading reading_of(const struct probe_stats *s)
{
    struct reading r = {.at_ns = s->now_ns,
                        .turns = s->turns,
                        .polls_empty = s->polls_empty,
                        .busy_ns = s->busy_ns,
                        .wait_ns = s->wait_ns,
                        .split = s->split};
    memcpy(r.turn_hist, s->turn_hist, sizeof(r.turn_hist));
    memcpy(r.runqueue_hist, s->runqueue_hist, sizeof(r.runqueue_hist));
    return r;
}

static void subtract(uint32_t *to, const uint32_t *from, const uint32_t *old)
{
    for (int i = 0; i < PROBE_HIST; i++)
        to[i] = from[i] - old[i];
}

static int64_t hist_max(const uint32_t *hist)
{
    for (int i = PROBE_HIST - 1; i >= 0; i--)
        if (hist[i])
            return probe_hist_ns(i);
    return 0;
}

// The longest turn of a span: exact where it passed the stall threshold, else its bucket's bound, which
// no turn since the attach exceeds.
static int64_t longest(const uint32_t *hist, int64_t exact_ns, int64_t ever_ns)
{
    int64_t bound = hist_max(hist);
    if (bound > ever_ns && ever_ns > 0)
        bound = ever_ns;
    return exact_ns > 0 ? exact_ns : bound;
}

void window_read(struct loop_history *h, const struct probe_stats *s)
{
    int64_t polls = h->have_now && s->polls_empty < 0 ? h->now.polls_empty : s->polls_empty;
    h->now = *s;
    h->now.polls_empty = polls; // counted once a second only
    h->have_now = true;
}

void window_push(struct loop_history *h, const struct probe_stats *s, int64_t blocked_ns)
{
    uint32_t second[PROBE_HIST] = {0};
    if (h->nring > 0)
        subtract(second, s->turn_hist, h->ring[h->head].turn_hist);
    int64_t worst = longest(second, h->second_max_ns, s->turn_max_ns);
    if (blocked_ns > worst)
        worst = blocked_ns;
    memmove(h->spark, h->spark + 1, sizeof(*h->spark) * (LOOP_SPARK - 1));
    h->spark[LOOP_SPARK - 1] = worst;
    h->second_max_ns = 0;
    h->head = (h->head + 1) % WINDOW_SLOTS;
    h->ring[h->head] = reading_of(s);
    if (h->nring < WINDOW_SLOTS)
        h->nring++;
    memmove(h->pool_busy_ns + 1, h->pool_busy_ns, sizeof(*h->pool_busy_ns) * (CALL_SLOTS - 1));
    h->pool_busy_ns[0] = 0;
    window_read(h, s);
    h->now.polls_empty = s->polls_empty;
}

void window_long_turn(struct loop_history *h, int64_t duration_ns)
{
    if (duration_ns > h->second_max_ns)
        h->second_max_ns = duration_ns;
    if (duration_ns > h->stalled_max_ns)
        h->stalled_max_ns = duration_ns;
}

int64_t hist_percentile(const uint32_t *hist, double q)
{
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < PROBE_HIST; i++)
        total += hist[i];
    if (total == 0)
        return 0;
    uint64_t want = (uint64_t)((double)total * q);
    for (int i = 0; i < PROBE_HIST; i++) {
        seen += hist[i];
        if (seen > want)
            return probe_hist_ns(i);
    }
    return hist_max(hist);
}

void hist_to_lag(const uint32_t *hist, uint32_t lag_hist[16])
{
    for (int i = 0; i < PROBE_HIST; i++) {
        int to = 0;
        while (to < 15 && probe_hist_ns(i) > snap_lag_bounds_ns[to])
            to++;
        lag_hist[to] += hist[i];
    }
}

static int64_t at_most(int64_t value, int64_t limit)
{
    return limit > 0 && value > limit ? limit : value;
}

static void window_turns(const struct loop_history *h, const struct reading *old,
                         struct loop_window *w)
{
    uint32_t turns[PROBE_HIST], queue[PROBE_HIST];
    subtract(turns, h->now.turn_hist, old->turn_hist);
    subtract(queue, h->now.runqueue_hist, old->runqueue_hist);
    w->turn_max_ns = at_most(hist_max(turns), h->now.turn_max_ns);
    w->turn_p50_ns = at_most(hist_percentile(turns, 0.50), w->turn_max_ns);
    w->turn_p99_ns = at_most(hist_percentile(turns, 0.99), w->turn_max_ns);
    w->runqueue_p99_ns = hist_percentile(queue, 0.99);
}

void window_sum(const struct loop_history *h, struct loop_window *w)
{
    *w = (struct loop_window){
        .polls_empty = SNAP_UNKNOWN, .hot_fd = SNAP_UNKNOWN, .pool_busy_ns = SNAP_UNKNOWN};
    if (h->nring == 0 || !h->have_now)
        return;
    const struct reading *old = &h->ring[(h->head + WINDOW_SLOTS - h->nring + 1) % WINDOW_SLOTS];
    const struct probe_stats *now = &h->now;
    w->window_ns = now->now_ns - old->at_ns;
    w->turns = now->turns - old->turns;
    if (now->polls_empty >= 0 && old->polls_empty >= 0)
        w->polls_empty = now->polls_empty - old->polls_empty;
    w->busy_ns = now->busy_ns - old->busy_ns;
    w->wait_ns = now->wait_ns - old->wait_ns;
    w->cpu_user_ns = now->split.cpu_user - old->split.cpu_user;
    w->cpu_kernel_ns = now->split.cpu_kernel - old->split.cpu_kernel;
    w->runqueue_ns = now->split.runqueue - old->split.runqueue;
    w->stopped_ns = now->split.stopped - old->split.stopped;
    w->busy_stack = h->busy_stack;
    window_turns(h, old, w);
}
