// One ELF file that is mapped somewhere: segments, build id, symbols, call frame information.
// Shared by all processes that map it. Everything beyond the segments is read when first asked for.
//
// The file is mapped read-only (file pages, not our own memory). If somebody truncates it meanwhile
// the helper dies of SIGBUS and is restarted: that is what it is for.
#ifndef LOOPSCOPE_STACK_MODULE_H
#define LOOPSCOPE_STACK_MODULE_H

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>

#include "symtab.h"

#define MODULE_SEGMENTS 32
#define BUILD_ID_HEX    65 // of at most 32 bytes, with NUL

struct segment {
    uint64_t offset, file_size, address, memory_size;
    bool exec;
};

struct module {
    int refs;
    uint64_t device, inode; // the cache's key; 0, 0: from memory
    char *path;
    char build_id[BUILD_ID_HEX]; // empty: none
    int nsegments;
    struct segment segments[MODULE_SEGMENTS];
    uint64_t entry;
    bool is_64bit; // x86-64; false: nothing else is filled in
    int role;      // enum module_role of culprit.h, once; -1 not yet known

    Elf *elf;
    void *image; // of one that was copied out of memory; NULL
    struct symtab *symbols;
    bool symbols_tried, cfi_tried, dwarf_tried, debug_file_tried;
    Dwarf_CFI *eh_frame;    // owned by elf
    Dwarf_CFI *debug_frame; // owned by dwarf
    Dwarf *dwarf;
    Elf *debug_elf; // separate debug file; NULL
    Elf *mini_elf;  // mini debug info, in mini_image; NULL
    void *mini_image;
    struct line_index *lines; // lines.c's
};

// Takes over the descriptor (closed in every case). -errno.
int module_open(struct module **ret, int fd, const char *path);
// Takes over image (malloc'd), an ELF file as it would be on disk.
int module_from_image(struct module **ret, void *image, size_t size, const char *path);
struct module *module_ref(struct module *m);
void module_unref(struct module *m); // NULL is fine

bool module_address_of(const struct module *m, uint64_t file_offset, uint64_t *address);
bool module_symbol_at(struct module *m, uint64_t address, struct symbol *ret);
bool module_symbol_named(struct module *m, const char *name, struct symbol *ret);
bool module_symbol_contains(struct module *m, const char *part); // any symbol's name
// An allocated section; 0 when there is none.
uint64_t module_section(const struct module *m, const char *name, uint64_t *size);
bool module_has_section(const struct module *m, const char *name); // allocated or not
// A section's bytes as they lie in the file, which lives as long as the module; NULL: it has none.
const uint8_t *module_bytes(const struct module *m, const char *section, uint64_t *size);
bool module_has_bytes(const struct module *m, const char *section, const char *text);
bool module_needs(const struct module *m, const char *library); // DT_NEEDED contains it
void module_load_cfi(struct module *m);
Dwarf *module_dwarf(struct module *m); // NULL: no debug data
// Adopts a separate debug file; closes fd. Symbols and lines come from it from now on.
int module_add_debug_file(struct module *m, int fd);

#endif
