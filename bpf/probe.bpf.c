// The kernel side of loopscope: one object, one concern a file.
//
//   state   maps, constants, a thread's slot      wait    which calls are waits, and whose
//   turn    begin, end, split, samples due        sample  registers and stack of the running thread
//   switch  sched_switch                          tick    ticks and breakpoint of one thread
//   calls   the wait calls, where they are traced life    threads and processes come and go
//   seed    what was there before us
#include "calls.bpf.h"
#include "life.bpf.h"
#include "seed.bpf.h"
#include "switch.bpf.h"
#include "tick.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
