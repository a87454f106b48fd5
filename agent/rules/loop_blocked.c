#include "engine.h"

static const struct rule_key keys[] = {
    {"warn", "ns", 100 * MS,
     "asyncio slow_callback_duration, cats-effect, clinic; also --threshold"},
    {"critical", "ns", 1 * SECOND, "Sentry"},
};

static const char *const remedy[] = {
    "look at the stack: the culprit frame is what kept the loop from its poll",
    "move the work off the loop (a thread pool, uv_queue_work, run_in_executor, a worker thread) "
    "or cut it into slices that return to the loop",
    NULL,
};

static bool holds(const struct rules *r, const struct snap_stall *s)
{
    (void)r;
    (void)s;
    return true;
}

const struct rule rule_loop_blocked = {
    .id = "loop-blocked",
    .meaning = "the loop has not returned to its poll",
    .evidence = "age, stack captured during the block, where the time went, running task",
    .severity = SEV_WARNING,
    .nkeys = 2,
    .keys = keys,
    .remedy = remedy,
    .holds = holds,
};
