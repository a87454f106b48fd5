// The key of an opening: a hash that differs wherever the stack does.
//
// Unwinding needs tables that a program in the kernel does not have, and frame pointers are not kept (nor
// right where they seem to be: open() of glibc uses the register for its own ends). So what is hashed is
// every word of the top of the stack that points into executable memory: all return addresses are among
// them, and some leftovers of earlier calls. That makes keys finer than stacks, never coarser; user space
// unwinds one copy for each key and puts those with the same frames together again.
//
// V8's interpreter has one return address for all functions: there the function and the position in it,
// which lie in the frame that the word before the return address points to, are hashed too.
#ifndef LOOPSCOPE_BPF_FD_KEY_H
#define LOOPSCOPE_BPF_FD_KEY_H

#include "fd_kernel.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "fd_records.h"
#include "records.h"
#include "stack_copy.bpf.h"

enum {
    TOP_WORDS = 512, // of the stack, that are looked through at most
    WORDS_A_STEP = 4,
    TOPS = 4,
};

#define PRIME 0x9e3779b97f4a7c15ULL

// Set by user space, in order of what tells most; jit: of these, the first so many are anonymous.
unsigned long long code_from[LS_FD_RANGES], code_size[LS_FD_RANGES];
unsigned long long all_from, all_size;
unsigned int njit;
unsigned int top_words = 128;
unsigned int next_key; // 0 is "not known": the first is 1
unsigned int lost_stacks;

// CPython has its frames on its own heap, and two functions have the same stack: its thread's frames are
// read here, at the call; a moment later they are others'.
struct ls_fd_place place;

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, u32);
    __type(value, u64);
} threads SEC(".maps"); // of the language, by tid

struct taken {
    struct ls_fd_frame frames[LS_FD_FRAMES];
    u32 n, pad;
};

struct top { // of a stack
    u64 words[TOP_WORDS];
    struct ls_regs regs; // here, because a program's own stack is small
    struct taken taken;
    u64 busy;
};

// Room for what does not fit on a program's own stack. Several a CPU: where the kernel may be preempted, a thread
// can lose the CPU in the midst of a program to another thread that runs one.
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, TOPS);
    __type(key, u32);
    __type(value, struct top);
} tops SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, LS_FD_KEYS);
    __type(key, u64);
    __type(value, u32);
} keys SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4 << 20);
} openings SEC(".maps");

// Which range holds the address; -1 none.
static __always_inline int range_of(u64 word)
{
    if (word - all_from >= all_size)
        return -1;
    for (int i = 0; i < LS_FD_RANGES; i++)
        if (word - code_from[i] < code_size[i])
            return i;
    return -1;
}

static __always_inline u64 mix(u64 hash, u64 word)
{
    hash = (hash ^ word) * PRIME;
    return hash ^ (hash >> 29);
}

// An interpreted frame: the function at fp - 16, and the position in it four or five words below fp.
static __always_inline u64 mix_frame(u64 hash, const struct top *top, u64 fp, u64 sp)
{
    u64 at = (fp - sp) >> 3;
    if ((fp & 7) || at < 5 || at >= TOP_WORDS)
        return hash;
    hash = mix(hash, top->words[(at - 2) & (TOP_WORDS - 1)]);
    hash = mix(hash, top->words[(at - 4) & (TOP_WORDS - 1)] & 0xffffffff);
    return mix(hash, top->words[(at - 5) & (TOP_WORDS - 1)] & 0xffffffff);
}

static __always_inline u64 mix_code(u64 hash, const struct top *top, u64 word, u64 before, u64 sp)
{
    int range = range_of(word);
    if (range < 0)
        return hash;
    hash = mix(hash, word);
    return (u32)range < njit ? mix_frame(hash, top, before, sp) : hash;
}

struct hashing {
    const struct top *top;
    u64 hash, before, sp;
};

static long hash_words(u32 i, struct hashing *h)
{
    const u64 from = all_from, size = all_size;
#pragma unroll
    for (u32 k = 0; k < WORDS_A_STEP; k++) {
        u64 word = h->top->words[(i * WORDS_A_STEP + k) & (TOP_WORDS - 1)];
        if (word - from < size)
            h->hash = mix_code(h->hash, h->top, word, h->before, h->sp);
        h->before = word;
    }
    return 0;
}

static __always_inline u64 hash_stack(struct top *top, u32 nr)
{
    u32 words = top_words;
    u64 sp = top->regs.sp;
    if (words > TOP_WORDS)
        words = TOP_WORDS;
    if (bpf_probe_read_user(top->words, words * 8, (const void *)sp)) {
        words = to_page_end(sp) / 8; // near the stack's end
        if (bpf_probe_read_user(top->words, words * 8, (const void *)sp))
            words = 0;
        words &= ~(u32)(WORDS_A_STEP - 1);
    }
    struct hashing h = {.top = top, .hash = mix(nr, top->regs.ip), .sp = sp};
    bpf_loop(words / WORDS_A_STEP, hash_words, &h, 0);
    return h.hash;
}

static __always_inline u64 read_user(u64 base, int offset)
{
    u64 value = 0;
    if (base && offset >= 0)
        bpf_probe_read_user(&value, sizeof(value), (const void *)(base + offset));
    return value;
}

static __always_inline u64 take_frames(u64 hash, struct taken *t)
{
    u32 tid = (u32)bpf_get_current_pid_tgid();
    u64 *thread = bpf_map_lookup_elem(&threads, &tid);
    t->n = 0;
    if (!thread)
        return hash;
    u64 frame = place.cframe >= 0 ? read_user(read_user(*thread, place.cframe), place.current)
                                  : read_user(*thread, place.frame);
    for (int i = 0; i < LS_FD_FRAMES && frame; i++) {
        t->frames[i].code = read_user(frame, place.code);
        t->frames[i].instr = read_user(frame, place.instr);
        hash = mix(mix(hash, t->frames[i].code), t->frames[i].instr);
        t->n = i + 1;
        frame = read_user(frame, place.previous);
    }
    return mix(hash, 1);
}

// A new key is known only once its stack has found room on the way to user space.
static __always_inline u32 new_key(u64 hash, const struct ls_regs *regs, const struct taken *taken,
                                   u32 fd, u32 nr)
{
    if (next_key >= LS_FD_KEYS - 1)
        return 0;
    struct ls_fd_opening *r = bpf_ringbuf_reserve(&openings, sizeof(*r) + LS_FD_STACK, 0);
    if (!r) {
        __sync_fetch_and_add(&lost_stacks, 1);
        return 0;
    }
    u32 key = __sync_fetch_and_add(&next_key, 1) + 1;
    if (key >= LS_FD_KEYS || bpf_map_update_elem(&keys, &hash, &key, BPF_NOEXIST)) {
        bpf_ringbuf_discard(r, 0); // another thread was faster, or all are used
        u32 *known = bpf_map_lookup_elem(&keys, &hash);
        return known ? *known : 0;
    }
    r->key = key;
    r->tid = (u32)bpf_get_current_pid_tgid();
    r->fd = fd;
    r->nr = nr;
    r->nframes = taken->n;
    __builtin_memcpy(r->frames, taken->frames, sizeof(r->frames));
    __builtin_memcpy(r->regs, regs, sizeof(r->regs));
    r->stack_len = copy_stack((u8 *)(r + 1), regs->sp);
    bpf_ringbuf_submit(r, 0);
    return key;
}

static __always_inline struct top *borrow_top(void)
{
#pragma unroll
    for (int i = 0; i < TOPS; i++) {
        u32 at = i;
        struct top *top = bpf_map_lookup_elem(&tops, &at);
        if (top && !__sync_val_compare_and_swap(&top->busy, 0, 1))
            return top;
    }
    return NULL;
}

static __always_inline u32 key_with(struct top *top, u32 fd, u32 nr)
{
    struct task_struct *task = bpf_get_current_task_btf();
    bpf_probe_read_kernel(&top->regs, sizeof(top->regs), (const void *)bpf_task_pt_regs(task));
    top->taken.n = 0;
    u64 hash = hash_stack(top, nr);
    if (place.known)
        hash = take_frames(hash, &top->taken);
    u32 *known = bpf_map_lookup_elem(&keys, &hash);
    return known ? *known : new_key(hash, &top->regs, &top->taken, fd, nr);
}

// Global, so that it is checked once and not with every step that asks for a key.
__noinline u32 key_of(u32 fd, u32 nr)
{
    struct top *top = borrow_top();
    if (!top) {
        __sync_fetch_and_add(&lost_stacks, 1);
        return 0;
    }
    u32 key = key_with(top, fd, nr);
    __sync_lock_test_and_set(&top->busy, 0);
    return key;
}

#endif
