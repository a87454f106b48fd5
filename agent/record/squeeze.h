// Pictures made small: one stream of raw deflate from a key picture to the next, flushed after each
// picture, so that a picture costs what it says that the ones before it did not.
#ifndef LOOPSCOPE_RECORD_SQUEEZE_H
#define LOOPSCOPE_RECORD_SQUEEZE_H

#include "bytes.h"

#define PICTURE_MAX                                                                                \
    ((size_t)64 << 20) // bytes, unpacked; a snapshot of 10 000 tasks has less than 2 MB

struct squeeze;
struct squeeze *squeeze_new(void);
void squeeze_free(struct squeeze *z); // NULL is fine
void squeeze_restart(struct squeeze *z);
void squeeze_put(struct squeeze *z, const struct bytes *from, struct bytes *to); // appends

struct stretch;
struct stretch *stretch_new(void);
void stretch_free(struct stretch *z); // NULL is fine
void stretch_restart(struct stretch *z);
// Appends. -EBADMSG: not ours, or more than PICTURE_MAX.
int stretch_take(struct stretch *z, const uint8_t *from, size_t n, struct bytes *to);

#endif
