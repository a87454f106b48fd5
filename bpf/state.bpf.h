// The maps, the constants user space sets before the load, and how a thread's slot is found.
#ifndef LOOPSCOPE_BPF_STATE_H
#define LOOPSCOPE_BPF_STATE_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "records.h"

const volatile unsigned long long threshold_ns = 100000000;
const volatile unsigned long long proof_min_ns =
    40000000;                              // how long no end must be seen, to believe it
const volatile unsigned int level_cap = 6; // from this level on the gaps are equal
const volatile unsigned int exact = 0;     // each wait call is seen: no proof is needed

// Whose tids and process ids are perhaps watched: the one thing that a switch between two strangers
// looks at.
unsigned int tid_filter[LS_FILTER_WORDS];
unsigned int tgid_filter[LS_FILTER_WORDS];

unsigned int lost_records; // of no thread in particular

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 4096); // set by user space
    __type(key, u32);
    __type(value, struct ls_slot);
} slots SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096); // set by user space
    __type(key, u32);
    __type(value, u32);
} slot_of_tid SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, u32);
    __type(value, u32);
} watched SEC(".maps"); // process ids

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 2 << 20);
} records SEC(".maps");

static __always_inline bool perhaps(const unsigned int *filter, u32 id)
{
    return filter[(id >> 5) & (LS_FILTER_WORDS - 1)] & (1u << (id & 31));
}

static __always_inline struct ls_slot *slot_of(u32 tid)
{
    u32 *index = bpf_map_lookup_elem(&slot_of_tid, &tid);
    return index ? bpf_map_lookup_elem(&slots, index) : NULL;
}

static __always_inline bool process_watched(u32 tgid)
{
    return perhaps(tgid_filter, tgid) && bpf_map_lookup_elem(&watched, &tgid);
}

static __always_inline void count_lost(struct ls_slot *slot)
{
    __sync_fetch_and_add(slot ? &slot->lost : &lost_records, 1);
}

// The registers with which the thread entered the kernel. They are right wherever it is: in a system
// call, or interrupted in user mode, or interrupted in the kernel.
static __always_inline void read_regs(struct task_struct *task, struct ls_regs *regs)
{
    const void *from;
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
        from = (const void *)bpf_task_pt_regs(task);
    else // before 5.15: at the top of a 16 KB kernel stack
        from = BPF_CORE_READ(task, stack) + 16384 - sizeof(*regs);
    bpf_probe_read_kernel(regs, sizeof(*regs), from);
}

#endif
