// From one set of registers to the frames of a thread, leaf first.
#ifndef LOOPSCOPE_STACK_UNWIND_H
#define LOOPSCOPE_STACK_UNWIND_H

#include "../../bpf/records.h"
#include "cfi.h"
#include "process.h"

#define UNWIND_FRAMES 1024
#define UNWIND_INNER  512   // of a deeper stack the innermost are kept, and the outermost
#define UNWIND_DEPTH  65536 // beyond that it is given up

enum frame_found { FOUND_CFI, FOUND_FRAME_POINTER, FOUND_RESCUE };

struct raw_frame {
    uint64_t pc, sp, bp;  // bp 0: not known
    bool activation;      // pc is exact, not a return address
    enum frame_found how; // how this frame was found from the one before
    struct place place;
    uint64_t address; // to look up: that of the call, not of the return
};

struct unwound {
    int n;
    struct raw_frame frames[UNWIND_FRAMES];
    int left_out;        // frames after the innermost UNWIND_INNER; 0: all are here
    bool trial;          // frames may be taken back: none is left out
    bool complete;       // the outermost frame said that it is the outermost
    const char *why_not; // of an incomplete one
};

void unwind(struct process *p, const struct ls_regs *regs, struct unwound *ret);

#endif
