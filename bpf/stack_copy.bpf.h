// A copy of the top of a user stack, as much as can be read.
#ifndef LOOPSCOPE_BPF_STACK_COPY_H
#define LOOPSCOPE_BPF_STACK_COPY_H

#include "kernel.h"

#include <bpf/bpf_helpers.h>

enum { COPY_CHUNK = 1024, COPY_PAGE = 4096, COPY_MAX = 16384 };

// What can be read where more cannot: stacks of tasks lie side by side with guards between. 0 to COPY_PAGE - 1.
static __always_inline u32 to_page_end(u64 sp)
{
    return (COPY_PAGE - (sp & (COPY_PAGE - 1))) & (COPY_PAGE - 1);
}

// COPY_MAX bytes of room. How many were copied.
static __always_inline u32 copy_stack(u8 *to, u64 sp)
{
    u32 len = 0;
    for (u32 i = 0; i < COPY_MAX / COPY_CHUNK; i++) {
        const void *from = (const void *)(sp + i * COPY_CHUNK);
        if (bpf_probe_read_user(to + i * COPY_CHUNK, COPY_CHUNK, from)) {
            u32 rest = to_page_end(sp + i * COPY_CHUNK) & (COPY_CHUNK - 1);
            if (!bpf_probe_read_user(to + i * COPY_CHUNK, rest, from))
                len += rest;
            break;
        }
        len = (i + 1) * COPY_CHUNK;
    }
    return len;
}

#endif
