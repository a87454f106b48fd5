// What both sides of an opener need. An answer is an int, with the descriptor when it is not negative.
#ifndef LOOPSCOPE_CONFINE_OPENER_INTERNAL_H
#define LOOPSCOPE_CONFINE_OPENER_INTERNAL_H

#include "opener.h"
#include "side.h"

// The opener's life; never returns.
void opener_live(int fd, opener_fn *open) __attribute__((noreturn));

#endif
