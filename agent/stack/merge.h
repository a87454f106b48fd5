// Native frames and language frames into one stack, in calling order, with names and lines.
#ifndef LOOPSCOPE_STACK_MERGE_H
#define LOOPSCOPE_STACK_MERGE_H

#include "../snapshot/arena.h"
#include "lang.h"
#include "process.h"
#include "unwind.h"

#define MERGED_FRAMES 2048

struct merged {
    int n;
    struct frame *frames; // leaf first; strings in the arena, the modules, or the walker's
    int culprit;
    int loop_runs;
    int loop_run_index; // of the innermost; -1 none
    bool in_language;
    bool to_main;
};

struct merge_input {
    struct process *process;
    struct arena *arena;
    const struct unwound *unwound;
    const struct native_frame *native; // as many as unwound->n
    int nlang;
    const struct lang_frame *lang; // sorted by at
    bool keep_native;              // interpreter frames too
    bool lines;                    // look up source lines
};

// Symbols of the raw frames, undemangled: what walkers are given. In the arena.
struct native_frame *name_frames(struct process *p, struct arena *a, const struct unwound *u);
void merge(const struct merge_input *in, struct merged *ret);

#endif
