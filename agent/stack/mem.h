// A target's memory as walkers see it: the stack copy first, then the live process, through a page cache,
// within a budget. Every byte is hostile; every read may fail; nothing here trusts a length.
#ifndef LOOPSCOPE_STACK_MEM_H
#define LOOPSCOPE_STACK_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mem;

// Reads n bytes of the live process into buf; false when that cannot be done. Tests and fuzzers put
// their own in place of /proc/PID/mem.
typedef bool (*mem_fetch)(void *arg, uint64_t address, void *buf, size_t n);

struct mem *mem_new(mem_fetch fetch, void *arg);
void mem_free(struct mem *m);
// The copied stack of this walk; shadows live memory. Forgets the page cache of the walk before.
void mem_begin(struct mem *m, uint64_t stack_base, const void *stack, size_t stack_len,
               uint64_t max_reads, int64_t deadline_ns); // deadline: CLOCK_MONOTONIC
bool mem_read(struct mem *m, uint64_t address, void *buf, size_t n);
bool mem_u64(struct mem *m, uint64_t address, uint64_t *ret);
bool mem_u32(struct mem *m, uint64_t address, uint32_t *ret);
bool mem_spent(const struct mem *m);     // budget or deadline is used up: every further read fails
bool mem_went_live(const struct mem *m); // something above the stack copy was read live

#endif
