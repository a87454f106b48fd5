// perf-PID.map: what a JIT says it has put where. Append-only, and space is reused: of all lines that
// cover an address the LAST one counts (on node 5 % of the lines overlap an older one).
#ifndef LOOPSCOPE_STACK_PERF_MAP_H
#define LOOPSCOPE_STACK_PERF_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perf_map;

struct perf_map *perf_map_new(int fd);  // takes over fd; NULL: out of memory (fd closed)
void perf_map_free(struct perf_map *m); // NULL is fine
// Reads what was appended since. Called once a walk.
void perf_map_refresh(struct perf_map *m);
bool perf_map_find(const struct perf_map *m, uint64_t address, char *name, size_t size);

#endif
