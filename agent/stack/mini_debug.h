// "Mini debug info": the names of a stripped file's own functions, which some distributions leave in it as a
// compressed ELF file (.gnu_debugdata).
#ifndef LOOPSCOPE_STACK_MINI_DEBUG_H
#define LOOPSCOPE_STACK_MINI_DEBUG_H

#include <stddef.h>

// Decompresses the section's bytes. 0 and an image to free, or -errno: bad or too big.
int mini_debug_unpack(const void *data, size_t size, void **image, size_t *image_size);

#endif
