#include "squeeze.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define RAW  (-MAX_WBITS)
#define STEP 16384
#define TAIL 4 // every flush ends in 00 00 ff ff, which need not be kept

static const uint8_t tail[TAIL] = {0, 0, 0xff, 0xff};

struct squeeze {
    z_stream stream;
};

struct stretch {
    z_stream stream;
};

struct squeeze *squeeze_new(void)
{
    struct squeeze *z = calloc(1, sizeof(*z));
    if (!z || deflateInit2(&z->stream, 6, Z_DEFLATED, RAW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    return z;
}

void squeeze_free(struct squeeze *z)
{
    if (z)
        deflateEnd(&z->stream);
    free(z);
}

void squeeze_restart(struct squeeze *z)
{
    deflateReset(&z->stream);
}

void squeeze_put(struct squeeze *z, const struct bytes *from, struct bytes *to)
{
    z->stream.next_in = from->at;
    z->stream.avail_in = (uInt)from->n;
    do {
        z->stream.next_out = bytes_more(to, STEP);
        z->stream.avail_out = STEP;
        deflate(&z->stream, Z_SYNC_FLUSH);
        to->n -= z->stream.avail_out;
    } while (z->stream.avail_out == 0);
    to->n -= TAIL;
}

struct stretch *stretch_new(void)
{
    struct stretch *z = calloc(1, sizeof(*z));
    if (!z || inflateInit2(&z->stream, RAW) != Z_OK)
        abort();
    return z;
}

void stretch_free(struct stretch *z)
{
    if (z)
        inflateEnd(&z->stream);
    free(z);
}

void stretch_restart(struct stretch *z)
{
    inflateReset(&z->stream);
}

static int take_part(struct stretch *z, const uint8_t *from, size_t n, size_t start,
                     struct bytes *to)
{
    z->stream.next_in = (Bytef *)from;
    z->stream.avail_in = (uInt)n;
    do {
        z->stream.next_out = bytes_more(to, STEP);
        z->stream.avail_out = STEP;
        int rc = inflate(&z->stream, Z_SYNC_FLUSH);
        to->n -= z->stream.avail_out;
        if ((rc != Z_OK && rc != Z_BUF_ERROR) || to->n - start > PICTURE_MAX)
            return -EBADMSG;
    } while (z->stream.avail_out == 0);
    return z->stream.avail_in == 0 ? 0 : -EBADMSG;
}

int stretch_take(struct stretch *z, const uint8_t *from, size_t n, struct bytes *to)
{
    size_t start = to->n;
    if (n > PICTURE_MAX || take_part(z, from, n, start, to) < 0)
        return -EBADMSG;
    return take_part(z, tail, TAIL, start, to);
}
