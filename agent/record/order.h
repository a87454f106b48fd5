// Which element of the picture before an element is: arrays are sorted anew each time, and newest-first
// lists move by one as something comes. Without this, a mere change of places would be written as a
// change of everything.
#ifndef LOOPSCOPE_RECORD_ORDER_H
#define LOOPSCOPE_RECORD_ORDER_H

#include "tables.h"

#define ORDER_NEW (-1)

// from[i] is the place before of now's i-th, or ORDER_NEW. Returns whether that says more than
// order_plain does.
bool order_match(const struct table *t, const char *now, int n, const char *before, int nbefore,
                 int *from);
void order_plain(int n, int nbefore, int *from); // each stays in its place

// As runs of (first place before + 1, or 0 for new; length). buf of at least 20 * n bytes.
size_t order_pack(const int *from, int n, uint8_t *buf);
int order_unpack(int *from, int n, int nbefore, const uint8_t *buf, size_t size);

#endif
