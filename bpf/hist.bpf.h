// Log-linear histograms: 4 buckets a power of two of microseconds.
#ifndef LOOPSCOPE_BPF_HIST_H
#define LOOPSCOPE_BPF_HIST_H

#include "state.bpf.h"

static __always_inline u32 log2_of(u64 v) // v > 0
{
    u32 r = 0;
    if (v >> 32) {
        v >>= 32;
        r += 32;
    }
    if (v >> 16) {
        v >>= 16;
        r += 16;
    }
    if (v >> 8) {
        v >>= 8;
        r += 8;
    }
    if (v >> 4) {
        v >>= 4;
        r += 4;
    }
    if (v >> 2) {
        v >>= 2;
        r += 2;
    }
    return r + (v >> 1);
}

static __always_inline u32 hist_bucket(u64 ns)
{
    u64 us = ns / 1000;
    if (us < 4)
        return us;
    u32 power = log2_of(us);
    u32 bucket = (power - 1) * 4 + ((us >> (power - 2)) & 3);
    return bucket < LS_HIST ? bucket : LS_HIST - 1;
}

static __always_inline void hist_add(unsigned int *hist, u64 ns, u32 weight)
{
    u32 bucket = hist_bucket(ns);
    if (bucket < LS_HIST)
        hist[bucket] += weight;
}

#endif
