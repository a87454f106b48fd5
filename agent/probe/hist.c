#include "internal.h"

_Static_assert(PROBE_HIST == LS_HIST, "the kernel side fills what is reported");

int64_t probe_hist_ns(int bucket)
{
    if (bucket >= PROBE_HIST - 1)
        return INT64_MAX;
    if (bucket < 4)
        return (bucket + 1) * 1000LL;
    int power = bucket / 4 + 1;
    return ((4LL + bucket % 4 + 1) << (power - 2)) * 1000;
}

int hist_bucket(int64_t ns)
{
    int low = 0, high = PROBE_HIST - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (ns < probe_hist_ns(middle))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
