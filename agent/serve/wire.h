// What goes over the socket between `serve --socket` and whoever connects: frames of a kind and a length.
// A snapshot goes as in a recording (record/picture.h, squeezed), with the texts and stacks it names first.
//
//   u32 length of the rest, little-endian; u8 kind; the rest
//   server: HELLO once, then PICTURE as snapshots come, END with a reason; or REFUSED with one, and no more
//   client: HELLO once, then WISH and LOOK as it likes
//
// Both sides take the other for hostile: every length is bounded, and what cannot be is the end.
#ifndef LOOPSCOPE_SERVE_WIRE_H
#define LOOPSCOPE_SERVE_WIRE_H

#include "../record/bytes.h"
#include "../snapshot/snapshot.h"
#include "../wish.h"

enum wire_kind {
    WIRE_HELLO = 1, // "loopscope", a byte of version, u32 tables_layout()
    WIRE_PICTURE,   // 1 byte: 1 key picture; squeezed: texts, stacks, picture
    WIRE_END,       // text
    WIRE_REFUSED,   // text
    WIRE_WISH,      // see wire_put_wish
    WIRE_LOOK,      // a snapshot now, please
};

#define WIRE_FROM_SERVER ((size_t)32 << 20) // longest frames
#define WIRE_FROM_CLIENT ((size_t)1024)

void wire_put(struct bytes *to, enum wire_kind kind, const void *body, size_t n);
void wire_put_hello(struct bytes *to);
// -ENOTSUP: another build of loopscope; -EBADMSG: something else.
int wire_take_hello(const uint8_t *body, size_t n);
void wire_put_wish(struct bytes *to, const struct wishes *w, int64_t now_ns);
// Expiries are moved to this clock and at most 10 s away. -EBADMSG.
int wire_take_wish(struct wishes *w, int64_t now_ns, const uint8_t *body, size_t n);

// Bytes as they come, frames as they are whole.
struct wire_frames {
    struct bytes pending;
    size_t taken; // of pending
    size_t max;   // longest frame allowed
};
void wire_add(struct wire_frames *f, const void *bytes, size_t n);
// 1 and a frame (its bytes live until the next wire_add), 0: none is whole, -EBADMSG.
int wire_next(struct wire_frames *f, enum wire_kind *kind, const uint8_t **body, size_t *n);

// One direction of pictures.
struct wire_writer;
struct wire_writer *wire_writer_new(void);
void wire_writer_free(struct wire_writer *w);                                   // NULL is fine
void wire_put_picture(struct wire_writer *w, struct bytes *to, struct snap *s); // keeps a reference

struct wire_reader;
struct wire_reader *wire_reader_new(void);
void wire_reader_free(struct wire_reader *r); // NULL is fine
int wire_take_picture(struct wire_reader *r, const uint8_t *body, size_t n, struct snap **ret);

#endif
