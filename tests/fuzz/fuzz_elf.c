// Bytes as an ELF file that a target maps: segments, symbols, sections, compressed names, call frame information, lines.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../agent/stack/cfi.h"
#include "../../agent/stack/image.h"
#include "../../agent/stack/lines.h"
#include "../../agent/stack/mem.h"
#include "../../agent/stack/mini_debug.h"
#include "../../agent/stack/module.h"

#define PLACES 24

static struct module *module_of(const uint8_t *data, size_t size)
{
    struct module *m = NULL;
    void *image = malloc(size ? size : 1);
    if (!image)
        abort();
    memcpy(image, data, size);
    return module_from_image(&m, image, size, "/fuzz/file") == 0 ? m : NULL;
}

// What the process has there: zeroes.
static bool no_memory(void *arg, uint64_t address, void *to, size_t n)
{
    (void)arg;
    (void)address;
    memset(to, 0, n);
    return true;
}

static void look_at(struct module *m, struct mem *mem, uint64_t address)
{
    struct symbol symbol;
    struct source_line lines[LINES_INLINES];
    module_symbol_at(m, address, &symbol);
    int n = lines_at(m, address, lines);
    for (int i = 0; i < n && i < LINES_INLINES; i++)
        if (lines[i].file && strlen(lines[i].file) == SIZE_MAX)
            abort();
    struct regset in = {0}, out;
    bool signal;
    reg_set(&in, REGNO_RIP, address);
    reg_set(&in, REGNO_RSP, 0x7fff0000);
    reg_set(&in, REGNO_RBP, 0x7fff0100);
    for (Dwarf_CFI **cfi = (Dwarf_CFI *[]){m->eh_frame, m->debug_frame, NULL}; cfi[0] || cfi[1];
         cfi++) {
        if (cfi[0])
            cfi_step(cfi[0], address, 0, mem, &in, &out, &signal);
        if (!cfi[1])
            break;
    }
}

static void look_all_over(struct module *m)
{
    struct symbol symbol;
    uint64_t size, address;
    struct mem *mem = mem_new(no_memory, NULL);
    if (!mem)
        abort();
    module_load_cfi(m);
    module_dwarf(m);
    module_section(m, ".text", &size);
    module_has_section(m, ".gnu_debugdata");
    module_has_bytes(m, ".rodata", "libuv");
    module_needs(m, "libc");
    module_symbol_named(m, "main", &symbol);
    module_symbol_contains(m, "uv_");
    for (int i = 0; i < m->nsegments; i++)
        for (uint64_t at = 0; at < PLACES; at++)
            if (module_address_of(
                    m, m->segments[i].offset + at * (m->segments[i].file_size / PLACES), &address))
                look_at(m, mem, address);
    look_at(m, mem, m->entry);
    mem_free(mem);
}

// elfutils 0.188's dwarf_getscopes keeps its list when it comes upon damaged data; nobody else can free it. By the
// library's name, as the stacks of allocations end in it (no frame pointers).
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libdw.so\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *image = NULL;
    size_t image_size;
    struct module *m = module_of(data, size);
    if (m) {
        look_all_over(m);
        module_unref(m);
    }
    if (mini_debug_unpack(data, size, &image, &image_size) == 0)
        free(image);
    return 0;
}
