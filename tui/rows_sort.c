// Sorts rows by radix on a 64-bit key.
#include <string.h>

#include "rows.h"

uint64_t rows_sort_bits(int64_t key, bool descending)
{
    if (key == SNAP_UNKNOWN)
        return UINT64_MAX;
    uint64_t u = (uint64_t)key ^ (1ULL << 63);
    return descending ? UINT64_MAX - u : u;
}

static void insertion_sort(struct entry *v, int n)
{
    for (int i = 1; i < n; i++) {
        struct entry e = v[i];
        int at = i;
        for (; at > 0 && v[at - 1].key > e.key; at--)
            v[at] = v[at - 1];
        v[at] = e;
    }
}

// The bits in which keys differ; 0 also when they are in order already.
static uint64_t bits_to_sort(const struct entry *v, int n)
{
    uint64_t differ = 0;
    bool in_order = true;
    for (int i = 1; i < n; i++) {
        differ |= v[i].key ^ v[0].key;
        in_order &= v[i - 1].key <= v[i].key;
    }
    return in_order ? 0 : differ;
}

// Least significant byte first: stable. A byte that is the same everywhere costs nothing.
void rows_sort(struct entry *v, struct entry *spare, int n)
{
    static const int buckets = 256;
    if (n <= 32) {
        insertion_sort(v, n);
        return;
    }
    struct entry *from = v, *to = spare;
    uint64_t differ = bits_to_sort(v, n);
    for (int shift = 0; shift < 64; shift += 8) {
        int count[256] = {0};
        if ((differ >> shift & 0xff) == 0)
            continue;
        for (int i = 0; i < n; i++)
            count[from[i].key >> shift & 0xff]++;
        for (int i = 0, sum = 0; i < buckets; i++) {
            int c = count[i];
            count[i] = sum;
            sum += c;
        }
        for (int i = 0; i < n; i++)
            to[count[from[i].key >> shift & 0xff]++] = from[i];
        struct entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != v)
        memcpy(v, from, sizeof(*v) * (size_t)n);
}
