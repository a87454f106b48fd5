#include "engine.h"

static const struct rule_key keys[] = {{"after", "ns", 5 * SECOND, "Vert.x"}};

static const char *const remedy[] = {
    "this does not look like slow work but like work that does not end: look at what the stack "
    "waits "
    "for, or at the loop it runs in",
    "give the call a deadline, or move it off the loop",
    NULL,
};

// Opened beside the stall's own finding: stall_findings.c.
const struct rule rule_loop_hung = {
    .id = "loop-hung",
    .meaning = "the block does not end",
    .evidence = "length of the block, whether its stack is the same at every look",
    .severity = SEV_CRITICAL,
    .nkeys = 1,
    .keys = keys,
    .remedy = remedy,
};
