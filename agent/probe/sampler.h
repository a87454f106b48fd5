// Registers and stack of a running thread without BPF and without privilege: a perf event of that thread
// (task clock, user mode only) that writes both into a ring of its own. Allowed on one's own processes
// where kernel.perf_event_paranoid is at most 2.
#ifndef LOOPSCOPE_PROBE_SAMPLER_H
#define LOOPSCOPE_PROBE_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "../../bpf/records.h"

struct sampler;
struct opener;

struct sampler_sample {
    int64_t at_ns;
    struct ls_regs regs;
    const uint8_t *stack; // valid until the next call
    size_t stack_len;
};

int sampler_open(struct sampler **ret, struct opener *opener, int tid); // opener: see perf.h
void sampler_close(struct sampler *s);
// The newest sample since the last call: 1 there is one, 0 none.
int sampler_newest(struct sampler *s, struct sampler_sample *ret);

#endif
