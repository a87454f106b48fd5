// Bytes that are put together, and bytes that are taken apart with every length checked.
#ifndef LOOPSCOPE_RECORD_BYTES_H
#define LOOPSCOPE_RECORD_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes { // grows; aborts when out of memory. {0} is empty
    uint8_t *at;
    size_t n, cap;
};
void bytes_free(struct bytes *b);
uint8_t *bytes_more(struct bytes *b, size_t n); // n unset bytes at the end
void bytes_put(struct bytes *b, const void *from, size_t n);
void bytes_varint(struct bytes *b, uint64_t v);
void bytes_text(struct bytes *b, const char *text); // NULL is told from ""

struct reading { // at <= end
    const uint8_t *at, *end;
    bool bad; // something was cut short or impossible; what was taken since is 0
};
uint64_t take_varint(struct reading *r);
const uint8_t *take_bytes(struct reading *r, uint64_t n); // NULL when there are fewer
const char *take_text(struct reading *r, size_t *n);      // not terminated, *n long; NULL for none

#endif
