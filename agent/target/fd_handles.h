// libuv's handles by the stack that made them, while their functions are probed (--handles).
#ifndef LOOPSCOPE_FD_HANDLES_H
#define LOOPSCOPE_FD_HANDLES_H

#include "fd_book.h"

void fd_handles_look(struct fd_book *b, int64_t now_ns); // part of a look at the book
void fd_handles_forget(struct fd_book *b);               // all of them

#endif
