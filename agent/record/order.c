#include "order.h"

#include <errno.h>

#include "codec.h"

#define SEARCH_MAX 2048 // longer lists are only looked at near the expected place

static int find(const struct table *t, const char *element, const char *before, int nbefore,
                int expected)
{
    if (expected >= 0 && expected < nbefore &&
        column_equal(t->key, element, before + (size_t)expected * t->size))
        return expected;
    int first = 0, end = nbefore;
    if (nbefore > SEARCH_MAX) {
        first = expected > 8 ? expected - 8 : 0;
        end = expected + 8 < nbefore ? expected + 8 : nbefore;
    }
    for (int i = first; i < end; i++)
        if (column_equal(t->key, element, before + (size_t)i * t->size))
            return i;
    return ORDER_NEW;
}

void order_plain(int n, int nbefore, int *from)
{
    for (int i = 0; i < n; i++)
        from[i] = i < nbefore ? i : ORDER_NEW;
}

bool order_match(const struct table *t, const char *now, int n, const char *before, int nbefore,
                 int *from)
{
    if (!t->key || nbefore == 0) {
        order_plain(n, nbefore, from);
        return false;
    }
    bool moved = false;
    int expected = 0;
    for (int i = 0; i < n; i++) {
        from[i] = find(t, now + (size_t)i * t->size, before, nbefore, expected);
        if (from[i] != ORDER_NEW)
            expected = from[i] + 1;
        moved |= from[i] != (i < nbefore ? i : ORDER_NEW);
    }
    return moved;
}

size_t order_pack(const int *from, int n, uint8_t *buf)
{
    size_t used = 0;
    for (int i = 0; i < n;) {
        int length = 1;
        while (i + length < n &&
               from[i + length] == (from[i] == ORDER_NEW ? ORDER_NEW : from[i] + length))
            length++;
        used += varint_put(buf + used, (uint64_t)(from[i] + 1));
        used += varint_put(buf + used, (uint64_t)length);
        i += length;
    }
    return used;
}

int order_unpack(int *from, int n, int nbefore, const uint8_t *buf, size_t size)
{
    const uint8_t *at = buf, *end = buf + size;
    uint64_t first, length;
    for (int i = 0; i < n;) {
        if (varint_get(&at, end, &first) < 0 || varint_get(&at, end, &length) < 0)
            return -EINVAL;
        if (length == 0 || length > (uint64_t)(n - i) || first > (uint64_t)nbefore ||
            (first > 0 && length > (uint64_t)nbefore - first + 1))
            return -EINVAL;
        for (uint64_t k = 0; k < length; k++)
            from[i++] = first == 0 ? ORDER_NEW : (int)(first - 1 + k);
    }
    return at == end ? 0 : -EINVAL;
}
