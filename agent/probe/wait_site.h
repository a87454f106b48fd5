// Where a program calls its wait, when no thread was seen in it: the wait functions of its C library.
#ifndef LOOPSCOPE_PROBE_WAIT_SITE_H
#define LOOPSCOPE_PROBE_WAIT_SITE_H

#include <stdint.h>

#include "probe.h"

enum { WAIT_SITES = 3 };

// Addresses in the process at which functions of this kind begin; how many, 0 when none is found (a static
// program without symbols, waits made without the library).
int wait_sites_find(int pid, enum wait_kind kind, uint64_t sites[WAIT_SITES]);

#endif
