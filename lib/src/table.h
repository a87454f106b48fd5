// The live table, as its writer sees it: layout, slots, sites. What readers may rely on is in abi.h.
//
// The table only shows: nothing in it is read back to decide anything. The truth about a slot is `struct slot_owner`
// in private memory, which also survives a fork (the table itself is not inherited).
#ifndef LS_TABLE_H
#define LS_TABLE_H

#include <loopscope/abi.h>
#include <loopscope/loopscope.h>

#include <pthread.h>
#include <stdatomic.h>

#define TABLE_SLOTS   (1u << 20)
#define TABLE_LOOPS   128
#define TABLE_SITES   (1u << 14)
#define TABLE_STRINGS (2u << 20)
#define TABLE_RING    (1u << 12) // 128 KB: with the tasks it stays in a core's own cache
#define TABLE_CHUNK   64         // slots that a loop takes at once

#define LOOP_NONE 255 // in loop_of_chunk

#define SITE_UNKNOWN 0
#define SITE_LOST    1 // the table of sites is full

struct task;

struct slot_owner {
    int64_t id;        // of the task in the slot; negative: of the last one; 0: there was none
    struct task *task; // in the slot, or whose memory keeps it; NULL after its loop
};

struct table {
    struct ls_abi_header *header; // NULL: memfd is not to be had; tasks then run unseen
    struct ls_abi_loop *loops;
    struct ls_abi_task *slots;
    struct ls_abi_site *sites;
    char *strings;
    struct ls_abi_event *rings;
    struct slot_owner *owners;
    const struct ls_site **site_of; // by id
    uint8_t *loop_of_chunk;         // index of the loop that has taken it
    int fd;

    pthread_mutex_t lock; // of what follows
    uint32_t slots_used, sites_used, strings_used, loops_used;
    uint32_t *free_chunks; // first slots of chunks given back
    uint32_t nfree_chunks;
    bool loop_taken[TABLE_LOOPS];
    struct { // functions that were called from a wrong thread
        const char *name;
        uint32_t offset;
    } wrong_names[64];
};

extern struct table ls__table;

int ls__table_open(void); // once; later calls cost nothing
// A record for a loop, -ENOSPC when there are TABLE_LOOPS of them.
int ls__table_take_loop(uint32_t *index);
void ls__table_give_loop(uint32_t index);
// First slot of a fresh chunk of TABLE_CHUNK, -ENOMEM when all are taken.
int ls__table_take_chunk(uint32_t loop, uint32_t *first);
void ls__table_give_chunk(uint32_t first);
uint32_t ls__site_intern(struct ls_site *site);
const struct ls_site *ls__site(uint32_t id); // NULL: unknown
void ls__table_set_guard(uint32_t guard);    // keeps the weakest
// Any thread. name: a string literal.
void ls__table_wrong_call(uint32_t loop, uint32_t site, const char *name);
void ls__table_set_stack_size(uint32_t size); // keeps the largest
void ls__table_set_clock(uint64_t ticks_ref, int64_t ns, uint64_t mult);
bool ls__table_watched(void); // somebody holds the lock of abi.h: one system call

static inline uint32_t site_id(struct ls_site *site)
{
    if (!site)
        return SITE_UNKNOWN;
    uint32_t id = __atomic_load_n(&site->id, __ATOMIC_RELAXED);
    return __builtin_expect(id != 0, 1) ? id : ls__site_intern(site);
}

// One writer a record. The compiler must keep the order; on x86-64 the processor does.
static inline void record_fence(void)
{
#if defined(__x86_64__) || defined(__SANITIZE_THREAD__)
    __asm__ volatile("" ::: "memory");
#else
    atomic_thread_fence(memory_order_release);
#endif
}

static inline uint32_t record_begin(uint32_t *seq) // what record_end needs
{
    uint32_t now = *seq;
    __atomic_store_n(seq, now + 1, __ATOMIC_RELAXED);
    record_fence();
    return now;
}

static inline void record_end(uint32_t *seq, uint32_t begun)
{
    __atomic_store_n(seq, begun + 2, __ATOMIC_RELEASE);
}

#endif
