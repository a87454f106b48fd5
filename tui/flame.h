// Samples of a stall folded into one tree: where the blocked time went, root first.
#ifndef LOOPSCOPE_TUI_FLAME_H
#define LOOPSCOPE_TUI_FLAME_H

#include "../agent/snapshot/snapshot.h"
#include "lines.h"

struct flame_sample {
    const struct stack *stack; // NULL is left out
    int64_t weight;            // nanoseconds
};

// A line a frame: inclusive share, function, place, module. *ret_culprit: the culprit's line, -1 none.
void flame_tree(const struct flame_sample *s, int n, int width, struct lines *out,
                int *ret_culprit);
// The format of the flame graph tools: root;...;leaf microseconds.
void flame_folded(const struct flame_sample *s, int n, struct lines *out);

#endif
