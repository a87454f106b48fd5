// What tests share that watch a child of their own in time.
#ifndef LOOPSCOPE_TEST_WATCHING_H
#define LOOPSCOPE_TEST_WATCHING_H

#include "../../../agent/probe/probe.h"

#define MS 1000000LL

int64_t now(void); // the probe's clock
void sleep_ns(int64_t ns);

// Where the backend cannot be had, the test is skipped.
struct probe *open_probe_for(const struct probe_config *config, const struct probe_callbacks *to,
                             void *arg);
void add_to_probe(struct probe *p, int pid);
void watch_once(struct probe *p,
                int wait_ms);     // dispatches when something has come, or after so long
void *shared_memory(size_t size); // with children; zeroed

// A child that runs this and exits; it dies with us.
int start_child(void (*run)(void *arg), void *arg);
void end_child(int pid);

#endif
