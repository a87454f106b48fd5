// Where in an ELF file functions begin, by name: what a uprobe is put on.
#ifndef LOOPSCOPE_PROBE_ELF_FUNCTIONS_H
#define LOOPSCOPE_PROBE_ELF_FUNCTIONS_H

#include <stddef.h>
#include <stdint.h>

// offsets[i]: of names[i] within the file; 0: it has no function of this name. The number found, or -errno. One pass
// over the file's symbols, however many names. The file's bytes are hostile.
int elf_functions(const char *path, const char *const *names, size_t n, uint64_t *offsets);

#endif
