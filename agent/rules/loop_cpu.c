#include "engine.h"

static const struct rule_key keys[] = {
    {"share", "ratio", 0.8, "ours: of the stall's wall time"},
};

static const char *const remedy[] = {
    "move the computation to a thread or process pool (uv_queue_work, worker_threads, "
    "run_in_executor with processes)",
    "or cut it into slices of a few milliseconds that give the loop its turn in between",
    NULL,
};

static bool holds(const struct rules *r, const struct snap_stall *s)
{
    int64_t cpu = s->split.cpu_user + s->split.cpu_kernel + s->split.gc;
    return s->duration_ns > 0 &&
           (double)cpu >= rules_value(r, &rule_loop_cpu, "share") * (double)s->duration_ns;
}

const struct rule rule_loop_cpu = {
    .id = "loop-cpu",
    .meaning = "computing on the loop",
    .evidence = "share of the stall on the CPU, hot frames",
    .severity = SEV_WARNING,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
    .holds = holds,
};
