// Code of shared and position-independent files reaches constants by lea reg, [rip + distance]. All of the code
// is searched for that instruction with the one distance that leads to the text; the function is the one whose
// entry in .eh_frame_hdr, a sorted table of functions' beginnings, lies before it.
#include "text_users.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEA          0x8d
#define OPCODE_BYTES 6 // opcode, mod r/m, distance: what follows the prefix
#define HEADER_BYTES 12
#define SORTED_TABLE 0x3b // DW_EH_PE_datarel | DW_EH_PE_sdata4

// A section's bytes as they lie in the file.
struct view {
    const uint8_t *bytes;
    size_t n;
    uint64_t address;
};

static bool view_section(const struct module *m, const char *name, struct view *ret)
{
    uint64_t size;
    const uint8_t *bytes = module_bytes(m, name, &size);
    *ret = (struct view){bytes, size, bytes ? module_section(m, name, NULL) : 0};
    return bytes && ret->address;
}

// The pages were only looked through: they need not stay in our resident set.
static void let_go(const struct module *m, const struct view *v)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)v->bytes + page - 1) & ~(page - 1),
              end = ((uintptr_t)v->bytes + v->n) & ~(page - 1);
    if (!m->image && end > begin) // an image is our own memory, not the file's
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static uint64_t find_text(const struct view *data, const char *text)
{
    size_t n = strlen(text) + 1, left;
    for (const uint8_t *from = data->bytes, *hit;; from = hit + 1) {
        left = data->n - (size_t)(from - data->bytes);
        hit = memmem(from, left, text, n);
        if (!hit)
            return 0;
        if (hit > data->bytes && !hit[-1])
            return data->address + (uint64_t)(hit - data->bytes);
    }
}

uint64_t module_text(const struct module *m, const char *text)
{
    struct view data;
    if (!view_section(m, ".rodata", &data))
        return 0;
    uint64_t address = find_text(&data, text);
    let_go(m, &data);
    return address;
}

struct functions { // of .eh_frame_hdr
    const uint8_t *table;
    uint32_t n;
    uint64_t base;
};

static bool read_functions(const struct module *m, struct functions *f)
{
    struct view v;
    if (!view_section(m, ".eh_frame_hdr", &v) || v.n < HEADER_BYTES || v.bytes[3] != SORTED_TABLE)
        return false;
    memcpy(&f->n, v.bytes + 8, sizeof f->n);
    f->table = v.bytes + HEADER_BYTES;
    f->base = v.address;
    return f->n >= 2 && f->n <= (v.n - HEADER_BYTES) / 8;
}

static uint64_t function_begin(const struct functions *f, uint32_t i)
{
    int32_t distance;
    memcpy(&distance, f->table + 8 * (size_t)i, sizeof distance);
    return f->base + (uint64_t)(int64_t)distance;
}

static bool function_at(const struct functions *f, uint64_t pc, struct code_range *ret)
{
    uint32_t low = 0, high = f->n - 1; // the last one's end is not known
    if (pc < function_begin(f, 0) || pc >= function_begin(f, high))
        return false;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (function_begin(f, middle) <= pc)
            low = middle;
        else
            high = middle;
    }
    *ret = (struct code_range){function_begin(f, low), function_begin(f, low + 1)};
    return true;
}

// p: at the opcode, which a prefix precedes.
static bool is_lea_rip(const uint8_t *p)
{
    return (p[-1] & 0xf8) == 0x48 && (p[1] & 0xc7) == 0x05;
}

static int add_range(struct code_range *ret, int n, int max, const struct code_range *r)
{
    for (int i = 0; i < n; i++)
        if (ret[i].start == r->start)
            return n;
    if (n < max)
        ret[n++] = *r;
    return n;
}

// By memchr from one opcode byte to the next: comparing at each byte takes five times as long.
static int find_users(const struct view *code, const struct functions *f, const uint64_t *targets,
                      int ntargets, struct code_range *ret, int max)
{
    const uint8_t *end = code->bytes + code->n - OPCODE_BYTES, *p = code->bytes + 1;
    int n = 0;
    for (; p < end && (p = memchr(p, LEA, (size_t)(end - p))); p++) {
        int32_t distance;
        struct code_range r;
        if (!is_lea_rip(p))
            continue;
        memcpy(&distance, p + 2, sizeof distance);
        uint64_t pc = code->address + (uint64_t)(p - code->bytes);
        for (int i = 0; i < ntargets; i++)
            if (pc + OPCODE_BYTES + (uint64_t)(int64_t)distance == targets[i] &&
                function_at(f, pc, &r))
                n = add_range(ret, n, max, &r);
    }
    return n;
}

int module_text_users(const struct module *m, const char *const *texts, int ntexts,
                      struct code_range *ret, int max)
{
    struct functions f;
    struct view data, code;
    uint64_t targets[TEXT_USERS_TEXTS];
    int n = 0, ntargets = 0;
    if (!read_functions(m, &f) || !view_section(m, ".rodata", &data))
        return 0;
    for (int i = 0; i < ntexts && ntargets < TEXT_USERS_TEXTS; i++)
        if ((targets[ntargets] = find_text(&data, texts[i])))
            ntargets++;
    let_go(m, &data);
    if (ntargets && view_section(m, ".text", &code) && code.n > OPCODE_BYTES) {
        n = find_users(&code, &f, targets, ntargets, ret, max);
        let_go(m, &code);
    }
    return n;
}
