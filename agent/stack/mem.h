// A target's memory as walkers see it: the stack copy first, then the live process, through a page
// cache, within a budget. Every byte is hostile; every read may fail; nothing here trusts a length.
//
// One walk is mem_begin() and then reads; the cache lives until the next mem_begin() or
// mem_forget(), so within a walk a page is read once and a structure that lies in one page is seen
// whole. Not thread safe. Errors: a read that cannot be done returns false (or NULL) and leaves
// *ret as it was.
#ifndef LOOPSCOPE_STACK_MEM_H
#define LOOPSCOPE_STACK_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEM_PAGE 4096u

struct mem;

// Reads n bytes of the live process into buf; false when that cannot be done. Tests and fuzzers put
// their own in place of /proc/PID/mem. Called with whole pages only; n is at most 64 of them.
typedef bool (*mem_fetch)(void *arg, uint64_t address, void *buf, size_t n);

struct mem *mem_new(mem_fetch fetch, void *arg); // NULL: out of memory
void mem_free(struct mem *m);                    // NULL is fine

// The copied stack of this walk (borrowed); shadows live memory. Forgets the page cache of the walk
// before. max_pages bounds what is fetched from the process; deadline: CLOCK_MONOTONIC.
void mem_begin(struct mem *m, uint64_t stack_base, const void *stack, size_t stack_len,
               uint64_t max_pages, int64_t deadline_ns);
// Drops the cached pages but keeps budget and stack copy: what follows is a look at something else.
void mem_forget(struct mem *m);
// Reads the cached pages again, in place and in the same batches: what follows is a second look.
void mem_refresh(struct mem *m);

bool mem_read(struct mem *m, uint64_t address, void *buf, size_t n);
bool mem_u64(struct mem *m, uint64_t address, uint64_t *ret);
bool mem_u32(struct mem *m, uint64_t address, uint32_t *ret);
bool mem_u16(struct mem *m, uint64_t address, uint16_t *ret);
bool mem_u8(struct mem *m, uint64_t address, uint8_t *ret);
// At most n - 1 bytes up to the NUL; false when the first byte cannot be read.
bool mem_string(struct mem *m, uint64_t address, char *buf, size_t n);

// Past the cache and not kept: what the process holds now.
bool mem_fresh(struct mem *m, uint64_t address, void *buf, size_t n);

// Brings in `bytes` from each of the addresses, neighbours in one read. A hint: nothing fails.
void mem_prefetch(struct mem *m, const uint64_t *addresses, size_t count, size_t bytes);

// For walks along pointers: when the address's page is missing, its neighbourhood comes with it.
void mem_ahead(struct mem *m, uint64_t address);

bool mem_spent(const struct mem *m); // budget or deadline is used up: every further live read fails
bool mem_went_live(const struct mem *m); // something above the stack copy was read live
uint64_t mem_pages(const struct mem *m); // fetched since mem_begin

#endif
