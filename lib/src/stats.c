// Durations by spawn site: a histogram with eight buckets an octave, so that a percentile is right to 13 %.
#include "internal.h"

#include <stdlib.h>

#define SUB_BITS  3
#define FIRST_BIT 12 // everything below 4 us is bucket 0

unsigned ls__duration_bucket(int64_t ns)
{
    if (ns < 1 << FIRST_BIT)
        return 0;
    unsigned octave = 63 - (unsigned)__builtin_clzll((unsigned long long)ns);
    unsigned sub = (unsigned)(ns >> (octave - SUB_BITS)) & ((1 << SUB_BITS) - 1);
    unsigned bucket = ((octave - FIRST_BIT) << SUB_BITS) + sub + 1;
    return bucket < SITE_BUCKETS ? bucket : SITE_BUCKETS - 1;
}

int64_t ls__bucket_limit(unsigned bucket) // its durations are below
{
    if (bucket == 0)
        return 1 << FIRST_BIT;
    unsigned octave = ((bucket - 1) >> SUB_BITS) + FIRST_BIT,
             sub = (bucket - 1) & ((1 << SUB_BITS) - 1);
    return ((int64_t)(1 << SUB_BITS) + sub + 1) << (octave - SUB_BITS);
}

void ls__count_duration(struct site_stats *s, int64_t ns)
{
    s->sum_ns += ns;
    if (ns > s->max_ns)
        s->max_ns = ns;
    if (!s->buckets)
        s->buckets = calloc(SITE_BUCKETS, sizeof(*s->buckets));
    if (s->buckets)
        s->buckets[ls__duration_bucket(ns)]++;
}

int64_t ls__site_percentile(const struct site_stats *s, double q)
{
    uint64_t n = s->completed + s->failed + s->cancelled,
             seen = n; // seen: those that took no time at all
    if (n == 0)
        return -1;
    for (unsigned i = 0; s->buckets && i < SITE_BUCKETS; i++)
        seen -= s->buckets[i];
    uint64_t rank = (uint64_t)(q * (double)n);
    if (seen > rank)
        return 0;
    for (unsigned i = 0; s->buckets && i < SITE_BUCKETS; i++)
        if ((seen += s->buckets[i]) > rank)
            return ls__bucket_limit(i) < s->max_ns ? ls__bucket_limit(i) : s->max_ns;
    return s->max_ns;
}

void ls__count_turn(struct ls_loop *l, int64_t ns)
{
    static const double limits[] = LS__TURN_LIMITS;
    unsigned i = 0;
    while (i < LS__TURN_BUCKETS - 1 && (double)ns > limits[i] * 1e9)
        i++;
    l->turn_counts[i]++;
}
