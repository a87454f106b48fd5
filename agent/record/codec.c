#include "codec.h"

#include <errno.h>
#include <string.h>

size_t varint_put(uint8_t *at, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        at[n++] = (uint8_t)(v | 0x80);
    at[n++] = (uint8_t)v;
    return n;
}

int varint_get(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
    *ret = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (*at >= end)
            return -EINVAL;
        uint8_t byte = *(*at)++;
        *ret |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return 0;
    }
    return -EINVAL;
}

uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static int64_t shifted(const int64_t *before, int shift, int i)
{
    return before && i + shift < LOOP_SPARK ? before[i + shift] : SNAP_UNKNOWN;
}

// How many values at the end are not those of `before` moved by shift.
static int tail(const int64_t *now, const int64_t *before, int shift)
{
    int same = 0;
    while (same < LOOP_SPARK && now[same] == shifted(before, shift, same))
        same++;
    return LOOP_SPARK - same;
}

// A second later all values have moved one place to the left and one has come: two numbers suffice.
size_t spark_pack(const int64_t now[LOOP_SPARK], const int64_t *before, uint8_t *buf)
{
    int best = 0, length = tail(now, before, 0);
    for (int shift = 1; shift < LOOP_SPARK && before; shift++) {
        int n = tail(now, before, shift);
        if (n < length) {
            length = n;
            best = shift;
        }
    }
    size_t used = varint_put(buf, (uint64_t)best);
    used += varint_put(buf + used, (uint64_t)length);
    for (int i = LOOP_SPARK - length; i < LOOP_SPARK; i++)
        used += varint_put(buf + used, now[i] == SNAP_UNKNOWN ? 0 : zigzag(now[i]) + 1);
    return used;
}

int spark_unpack(int64_t now[LOOP_SPARK], const int64_t *before, const uint8_t *buf, size_t n)
{
    const uint8_t *at = buf, *end = buf + n;
    uint64_t shift, length, v;
    if (varint_get(&at, end, &shift) < 0 || varint_get(&at, end, &length) < 0)
        return -EINVAL;
    if (shift >= LOOP_SPARK || length > LOOP_SPARK)
        return -EINVAL;
    for (int i = 0; i < LOOP_SPARK - (int)length; i++)
        now[i] = shifted(before, (int)shift, i);
    for (int i = LOOP_SPARK - (int)length; i < LOOP_SPARK; i++) {
        if (varint_get(&at, end, &v) < 0)
            return -EINVAL;
        now[i] = v == 0 ? SNAP_UNKNOWN : unzigzag(v - 1);
    }
    return at == end ? 0 : -EINVAL;
}

size_t hist_pack(const uint32_t now[16], const uint32_t *before, uint8_t *buf)
{
    static const uint32_t zeros[16];
    before = before ? before : zeros;
    int n = 16;
    while (n > 0 && now[n - 1] == before[n - 1])
        n--;
    size_t used = 0;
    for (int i = 0; i < n; i++)
        used += varint_put(buf + used, zigzag((int64_t)now[i] - before[i]));
    return used;
}

int hist_unpack(uint32_t now[16], const uint32_t *before, const uint8_t *buf, size_t n)
{
    const uint8_t *at = buf, *end = buf + n;
    static const uint32_t zeros[16];
    memcpy(now, before ? before : zeros, sizeof(zeros));
    for (int i = 0; at < end; i++) {
        uint64_t v;
        if (i == 16 || varint_get(&at, end, &v) < 0)
            return -EINVAL;
        now[i] += (uint32_t)unzigzag(v);
    }
    return 0;
}
