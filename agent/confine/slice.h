// A short turn on the CPU, soon.
#ifndef LOOPSCOPE_CONFINE_SLICE_H
#define LOOPSCOPE_CONFINE_SLICE_H

// Of the calling thread; what it starts does not inherit it. Where the kernel cannot (before 6.12) nothing changes.
void slice_short(void);

#endif
