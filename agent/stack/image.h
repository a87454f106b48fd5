// An ELF file put together again from a process's memory: the vdso, and files that cannot be opened.
#ifndef LOOPSCOPE_STACK_IMAGE_H
#define LOOPSCOPE_STACK_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "mem.h"

// start: where the file's first byte is mapped. end: of that mapping, for a file mapped as a whole (the
// vdso: section headers and all); 0: only what the segments hold. *ret is malloc'd. -errno.
int image_from_memory(struct mem *m, uint64_t start, uint64_t end, void **ret, size_t *size);

#endif
