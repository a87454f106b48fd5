// The symbols of one ELF file by address and by name. libdw's own lookup is linear: 2 ms each on
// node's 181 000 symbols; this one is a binary search over 8 bytes a function, names staying in the
// mapped file.
#ifndef LOOPSCOPE_STACK_SYMTAB_H
#define LOOPSCOPE_STACK_SYMTAB_H

#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

struct symtab;

struct symbol {
    const char *name;       // in the mapped file: lives as long as the ELF handles given
    uint64_t address, size; // virtual address in the file; size 0: unknown
};

struct symtab *symtab_new(void); // NULL: out of memory
void symtab_free(struct symtab *t);
// Adds .symtab, or .dynsym where there is none. elf (64 bit, borrowed) must outlive the table.
void symtab_add(struct symtab *t, Elf *elf);
// The function that covers the address; else the nearest symbol of unknown size before it.
bool symtab_at(struct symtab *t, uint64_t address, struct symbol *ret);
bool symtab_named(struct symtab *t, const char *name, struct symbol *ret);
bool symtab_contains(const struct symtab *t, const char *part); // in any defined symbol's name
int symtab_size(const struct symtab *t);                        // of functions

#endif
