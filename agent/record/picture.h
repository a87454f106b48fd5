// A snapshot as bytes: what differs from the snapshot before, or everything where there is none.
//
// A recording works like a film. A key picture holds everything; each picture after it holds what changed.
// To see snapshot N, take the newest key picture at or before it and put the following ones over it. The
// bytes are walked along the description in tables.h:
//
//   picture  version, now_ns (varints), then each table of record_tables in turn
//   list     length; where t->key tells elements apart and there was a list before: 0, or the length of
//            the runs of order.h and these; then (how many elements are as they were, one that is not)...
//            until the length is reached. A table with one row has neither length nor order.
//   element  a bit for each column that changed, the values of these, the lists of its child tables
//   value    numbers as differences (ages to what they would be by now, moments to now): 0 unknown, 1 then
//            8 bytes, else 2 + twice the zigzag, of thousands if even; texts and stacks by their number; of
//            sentences the middle that differs; of doubles the bytes that do, or whole numbers as such
//
// Texts and stacks are numbered by whoever keeps them: a recording in its tables, a socket in memory.
#ifndef LOOPSCOPE_RECORD_PICTURE_H
#define LOOPSCOPE_RECORD_PICTURE_H

#include "../snapshot/snapshot.h"
#include "bytes.h"

#define PICTURE_UNIT  1000 // ns: finer figures are rare
#define PICTURE_FAR   ((int64_t)1 << 60)
#define PICTURE_WHOLE 9 // a double: no bounds of bytes, a number

struct picture_names { // number what is named; > 0, or -1 which ends the packing
    int64_t (*text)(void *arg, const char *text);
    int64_t (*stack)(void *arg, const struct stack *stack);
    void *arg;
};

// In the memory of `into`, or held by it; NULL: there is none of this number.
struct picture_lookup {
    const char *(*text)(void *arg, struct snap *into, int64_t id);
    struct stack *(*stack)(void *arg, struct snap *into, int64_t id);
    void *arg;
};

// before NULL: a key picture. -EIO when a name could not be kept.
int picture_pack(struct bytes *out, const struct snap *now, const struct snap *before,
                 const struct picture_names *names);
// The bytes are hostile. `now` comes from snap_new(). -EBADMSG when they are not a picture.
int picture_unpack(struct snap *now, const struct snap *before, struct reading *r,
                   const struct picture_lookup *lookup);

int64_t picture_passed_ns(int64_t now_ns, const struct snap *before); // 0 without one

#endif
