// Numbers of any size in few bytes, and two arrays of a loop that change little from second to second,
// packed as what changed.
#ifndef LOOPSCOPE_RECORD_CODEC_H
#define LOOPSCOPE_RECORD_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "../snapshot/snapshot.h"

#define CODEC_MAX 1024 // bytes, of either

// Seven bits a byte, lowest first. Returns the length, at most 10.
size_t varint_put(uint8_t *at, uint64_t v);
int varint_get(const uint8_t **at, const uint8_t *end, uint64_t *ret); // -EINVAL: cut short

// 0, -1, 1, -2, ... as 0, 1, 2, 3, ...
uint64_t zigzag(int64_t v);
int64_t unzigzag(uint64_t v);

// before NULL: nothing known before. Returns the length written to buf[CODEC_MAX].
size_t spark_pack(const int64_t now[LOOP_SPARK], const int64_t *before, uint8_t *buf);
int spark_unpack(int64_t now[LOOP_SPARK], const int64_t *before, const uint8_t *buf, size_t n);
size_t hist_pack(const uint32_t now[16], const uint32_t *before, uint8_t *buf);
int hist_unpack(uint32_t now[16], const uint32_t *before, const uint8_t *buf, size_t n);

#endif
