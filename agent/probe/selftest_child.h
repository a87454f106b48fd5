// A child of our own that waits, works and stalls in known ways, for the self-test to watch.
#ifndef LOOPSCOPE_PROBE_SELFTEST_CHILD_H
#define LOOPSCOPE_PROBE_SELFTEST_CHILD_H

#include <stdint.h>

enum {
    CHILD_THRESHOLD_MS = 50,
    CHILD_STALL_MS = 160, // it sleeps so long, works a little, computes so long, and so on
};

struct selftest_child {
    int pid;
    uint64_t marker; // what lies at marker_address in its memory
    uint64_t marker_address;
    uint64_t step_address; // of a function that it calls all the time
};

int selftest_child_start(struct selftest_child *ret); // -errno
void selftest_child_end(const struct selftest_child *child);

#endif
