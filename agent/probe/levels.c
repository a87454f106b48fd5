// When a turn is sampled: at 1x, 2x, 4x ... the threshold, and once the gaps reach some 10 s in equal
// steps, so that an endless turn goes on being looked at. The kernel side counts by the same rule.
#include "internal.h"

#define GAP_MAX_NS (10 * NS_PER_S)

unsigned int level_cap_of(int64_t threshold_ns)
{
    unsigned int cap = 0;
    while (cap < 30 && (threshold_ns << (cap + 1)) <= GAP_MAX_NS)
        cap++;
    return cap;
}

int64_t level_due(const struct probe *p, unsigned int level)
{
    int64_t threshold = p->config.threshold_ns;
    if (level <= p->level_cap)
        return threshold << level;
    return (threshold << p->level_cap) * (level - p->level_cap + 1);
}

unsigned int level_at(const struct probe *p, int64_t age)
{
    int64_t gap = p->config.threshold_ns << p->level_cap;
    int64_t level = 0;
    if (age >= gap)
        level = p->level_cap - 1 + age / gap;
    else
        while (level_due(p, level + 1) <= age)
            level++;
    return level < CLAIM_LEVEL_MASK ? level : CLAIM_LEVEL_MASK - 1;
}
