// The table of slots, and how a slot is kept equal to the kernel's own.
//
// An event is only a hint to look: by the time a program runs, another thread may have closed the
// descriptor or opened the number anew. So a slot is made equal to what the kernel's table holds now, by
// compare and swap of one word that has both the file and the key of its opener, and read again until both
// agree. A call that surely made a descriptor forces a change even when the file's address is the same:
// the allocator hands out the same one again.
#ifndef LOOPSCOPE_BPF_FD_SLOT_H
#define LOOPSCOPE_BPF_FD_SLOT_H

#include "fd_key.bpf.h"
#include "fd_task.bpf.h"

enum {
    HOW_NR = 0xffff,    // the system call's number
    HOW_SURE = 0x10000, // it made a descriptor
    HOW_ENDS = 0x20000, // it only ends descriptors
    HOW_ALL = 0x40000,  // compare: not only the differences
    TRIES = 6,
};

#define FILE_MASK ((1ULL << LS_FD_KEY_SHIFT) - 1)

const volatile unsigned int descriptors = 4096; // slots; a multiple of 64

unsigned long long table_of; // the files_struct that is followed
unsigned long long unstable; // slots that did not settle

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 4096); // set by user space
    __type(key, u32);
    __type(value, struct ls_fd_slot);
} slots SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 64); // set by user space: descriptors / 64
    __type(key, u32);
    __type(value, u64);
} used SEC(".maps"); // a bit for each slot that holds a file

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, LS_FD_KEYS);
    __type(key, u32);
    __type(value, struct ls_fd_counts);
} counts SEC(".maps");

struct sync {
    u64 files;
    struct ls_fd_slot *slot;
    u32 fd, how, key, keyed, sure, ends, done, changes;
};

// The whole address: with five levels of pages the upper bits are not all set.
static __always_inline u64 address_of(u64 table, u32 fd)
{
    const struct files_struct *files = (const struct files_struct *)table;
    const struct fdtable *fdt = BPF_CORE_READ(files, fdt);
    u64 file = 0;
    if (fd < BPF_CORE_READ(fdt, max_fds)) {
        void **array = BPF_CORE_READ(fdt, fd);
        bpf_probe_read_kernel(&file, sizeof(file), array + fd);
    }
    return file;
}

static __always_inline u64 file_of(u64 table, u32 fd)
{
    return address_of(table, fd) & FILE_MASK;
}

static __always_inline void count_open(u32 key)
{
    struct ls_fd_counts *c = bpf_map_lookup_elem(&counts, &key);
    if (c)
        __sync_fetch_and_add(&c->opened, 1);
}

static __always_inline void count_close(u64 word)
{
    u32 key = word >> LS_FD_KEY_SHIFT;
    struct ls_fd_counts *c = bpf_map_lookup_elem(&counts, &key);
    if (c)
        __sync_fetch_and_add(&c->closed, 1);
}

static __always_inline void mark(u32 fd, bool open)
{
    u32 at = fd >> 6;
    u64 *bits = bpf_map_lookup_elem(&used, &at), bit = 1ULL << (fd & 63);
    if (!bits)
        return;
    if (open)
        __sync_fetch_and_or(bits, bit);
    else
        __sync_fetch_and_and(bits, ~bit);
}

// Two that changed the slot one after the other may have marked it the other way round. Whoever marked last looks
// again, and finds out here.
static __always_inline void mark_again(u32 fd, bool open)
{
    u32 at = fd >> 6;
    u64 *bits = bpf_map_lookup_elem(&used, &at);
    if (bits && ((READ_ONCE(*bits) >> (fd & 63)) & 1) != open)
        mark(fd, open);
}

static __always_inline u64 wanted_word(struct sync *c, u64 file)
{
    if (!file)
        return 0;
    if (c->ends || !(c->how & HOW_NR))
        return file; // not this call's work
    if (!c->keyed) {
        c->key = key_of(c->fd, c->how & HOW_NR);
        c->keyed = 1;
    }
    return (u64)c->key << LS_FD_KEY_SHIFT | file;
}

static long sync_step(u32 unused, struct sync *c)
{
    struct ls_fd_slot *slot = c->slot;
    if (!slot)
        return 1;
    u64 old = READ_ONCE(slot->word), file = file_of(c->files, c->fd);
    if ((old & FILE_MASK) == file && !(c->sure && file)) {
        mark_again(c->fd, old != 0);
        c->done = 1;
        return 1;
    }
    u64 want = wanted_word(c, file);
    if (__sync_val_compare_and_swap(&slot->word, old, want) != old)
        return 0;
    c->changes++;
    if (old & FILE_MASK)
        count_close(old);
    if (want) {
        slot->opened_ns = bpf_ktime_get_ns();
        slot->tid = (u32)bpf_get_current_pid_tgid();
        slot->nr = c->how & HOW_NR;
        take_task(slot, want >> LS_FD_KEY_SHIFT);
        WRITE_ONCE(slot->told, want);
        count_open(want >> LS_FD_KEY_SHIFT);
    }
    mark(c->fd, want != 0);
    // Once more, until it is stable. What others made meanwhile is theirs to claim.
    c->sure = 0;
    c->ends = 1;
    return 0;
}

// Returns how often it changed the slot.
__noinline int sync_slot(u64 files, u32 fd, u32 how)
{
    if (fd >= descriptors)
        return 0;
    struct sync c = {.files = files,
                     .slot = bpf_map_lookup_elem(&slots, &fd),
                     .fd = fd,
                     .how = how,
                     .sure = how & HOW_SURE,
                     .ends = how & HOW_ENDS};
    bpf_loop(TRIES, sync_step, &c, 0);
    if (!c.done)
        __sync_fetch_and_add(&unstable, 1);
    return c.changes;
}

struct comparing {
    u64 files, open, left;
    u32 how, base, changes;
};

static long compare_bit(u32 i, struct comparing *c)
{
    u64 bit = 1ULL << (i & 63);
    if (!c->left)
        return 1;
    if (c->left & bit) {
        c->left &= ~bit;
        c->changes += sync_slot(c->files, c->base + i, c->how);
    }
    return 0;
}

static long compare_word(u32 i, struct comparing *c)
{
    u64 theirs = 0, *ours = bpf_map_lookup_elem(&used, &i);
    if (!ours)
        return 1;
    bpf_probe_read_kernel(&theirs, sizeof(theirs), (const void *)(c->open + 8 * (u64)i));
    c->left = c->how & HOW_ALL ? theirs | *ours : theirs ^ *ours;
    c->base = i * 64;
    if (c->left)
        bpf_loop(64, compare_bit, c, 0);
    return 0;
}

// Brings all slots up to date whose use differs: for calls that make or end several at once.
__noinline int sync_all(u64 table, u32 how)
{
    const struct files_struct *files = (const struct files_struct *)table;
    const struct fdtable *fdt = BPF_CORE_READ(files, fdt);
    u32 most = BPF_CORE_READ(fdt, max_fds);
    if (most > descriptors)
        most = descriptors;
    struct comparing c = {.files = table, .open = (u64)BPF_CORE_READ(fdt, open_fds), .how = how};
    bpf_loop(most / 64, compare_word, &c, 0);
    return c.changes;
}

#endif
