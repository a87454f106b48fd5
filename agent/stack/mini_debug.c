#include "mini_debug.h"

#include <errno.h>
#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>

#define IMAGE_MAX   (32u << 20)
#define MEMORY_MAX  (64u << 20) // of the decoder
#define FIRST_GUESS 8           // times the packed size

static int grow(uint8_t **image, size_t *room)
{
    size_t more = *room * 2;
    uint8_t *grown = more <= IMAGE_MAX ? realloc(*image, more) : NULL;
    if (!grown)
        return more <= IMAGE_MAX ? -ENOMEM : -E2BIG;
    *image = grown;
    *room = more;
    return 0;
}

static int unpack(lzma_stream *s, uint8_t **image, size_t *room)
{
    int err = 0;
    while (!err) {
        s->next_out = *image + s->total_out;
        s->avail_out = *room - s->total_out;
        lzma_ret r = lzma_code(s, LZMA_FINISH);
        if (r == LZMA_STREAM_END)
            return 0;
        if (r != LZMA_OK || s->avail_out > 0) // not full, and yet not at its end: cut short
            return -EBADMSG;
        err = grow(image, room);
    }
    return err;
}

int mini_debug_unpack(const void *data, size_t size, void **image, size_t *image_size)
{
    lzma_stream s = LZMA_STREAM_INIT;
    if (size == 0 || size > IMAGE_MAX / FIRST_GUESS)
        return -E2BIG;
    size_t room = size * FIRST_GUESS;
    uint8_t *buf = malloc(room);
    if (!buf || lzma_stream_decoder(&s, MEMORY_MAX, 0) != LZMA_OK) {
        free(buf);
        return -ENOMEM;
    }
    s.next_in = data;
    s.avail_in = size;
    int err = unpack(&s, &buf, &room);
    *image_size = s.total_out;
    lzma_end(&s);
    if (err) {
        free(buf);
        return err;
    }
    *image = buf;
    return 0;
}
