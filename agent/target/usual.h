// How long something usually takes, of what was seen to end: a histogram in powers of two.
#ifndef LOOPSCOPE_USUAL_H
#define LOOPSCOPE_USUAL_H

#include <stdint.h>

#define USUAL_MIN  20 // below, nothing is usual
#define USUAL_NONE INT64_MAX

#define USUAL_BUCKETS 24

struct usual {
    uint32_t buckets[USUAL_BUCKETS], n; // bucket i: below 2^i ms
};

static inline void usual_add(struct usual *u, int64_t ns)
{
    int i = 0;
    while (i < USUAL_BUCKETS - 1 && ns >= 1000000LL << i)
        i++;
    u->buckets[i]++;
    u->n++;
}

// Nine in ten took at most so long; USUAL_NONE: too few have ended.
static inline int64_t usual_ns(const struct usual *u)
{
    uint64_t seen = 0;
    for (int i = 0; u->n >= USUAL_MIN && i < USUAL_BUCKETS; i++)
        if ((seen += u->buckets[i]) * 10 >= (uint64_t)u->n * 9)
            return 1000000LL << i;
    return USUAL_NONE;
}

#endif
