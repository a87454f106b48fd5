// Source lines and inlined calls of an address, from DWARF by libdw.
#ifndef LOOPSCOPE_STACK_LINES_H
#define LOOPSCOPE_STACK_LINES_H

#include <stdint.h>

#include "module.h"

#define LINES_INLINES 16

struct line_index; // which compilation unit covers which addresses

struct source_line {
    const char *function; // of an inlined call: its linkage or plain name; NULL: the ELF symbol's
    const char *file;     // NULL unknown
    int line;             // 0 unknown
};

// Innermost first: the inlined calls at the address, then the function itself (function NULL or as
// DWARF names it). Returns how many, 0: no debug data for it. Strings live as long as the module.
int lines_at(struct module *m, uint64_t address, struct source_line ret[LINES_INLINES]);
void lines_free(struct line_index *index); // NULL is fine

#endif
