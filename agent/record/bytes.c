#include "bytes.h"

#include <stdlib.h>
#include <string.h>

#include "codec.h"

void bytes_free(struct bytes *b)
{
    free(b->at);
    *b = (struct bytes){0};
}

uint8_t *bytes_more(struct bytes *b, size_t n)
{
    if (b->cap - b->n < n) {
        b->cap = (b->n + n) * 2 + 64;
        b->at = realloc(b->at, b->cap);
        if (!b->at)
            abort();
    }
    b->n += n;
    return b->at + b->n - n;
}

void bytes_put(struct bytes *b, const void *from, size_t n)
{
    uint8_t *to = bytes_more(b, n);
    if (n > 0)
        memcpy(to, from, n);
}

void bytes_varint(struct bytes *b, uint64_t v)
{
    uint8_t packed[10];
    bytes_put(b, packed, varint_put(packed, v));
}

void bytes_text(struct bytes *b, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    bytes_varint(b, text ? n + 1 : 0);
    bytes_put(b, text, n);
}

uint64_t take_varint(struct reading *r)
{
    uint64_t v;
    if (!r->bad && varint_get(&r->at, r->end, &v) == 0)
        return v;
    r->bad = true;
    return 0;
}

const uint8_t *take_bytes(struct reading *r, uint64_t n)
{
    if (r->bad || n > (uint64_t)(r->end - r->at)) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *at = r->at;
    r->at += n;
    return at;
}

const char *take_text(struct reading *r, size_t *n)
{
    uint64_t length = take_varint(r);
    *n = length ? length - 1 : 0;
    return length ? (const char *)take_bytes(r, length - 1) : NULL;
}
