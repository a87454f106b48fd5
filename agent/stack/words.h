// Words of a target's memory that was copied, and its characters as UTF-8.
#ifndef LOOPSCOPE_STACK_WORDS_H
#define LOOPSCOPE_STACK_WORDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t at64(const uint8_t *bytes, int offset)
{
    uint64_t v;
    memcpy(&v, bytes + offset, sizeof(v));
    return v;
}

static inline int32_t at32(const uint8_t *bytes, int offset)
{
    int32_t v;
    memcpy(&v, bytes + offset, sizeof(v));
    return v;
}

// Its length, at most 4; control characters, halves of a pair and what is no character become '?'.
size_t put_utf8(char *out, uint32_t c);

#endif
