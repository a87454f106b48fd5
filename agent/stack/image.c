#include "image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_IMAGE   (24u << 20)
#define MAX_HEADERS 32

static bool read_headers(struct mem *m, uint64_t start, Elf64_Ehdr *h, Elf64_Phdr *p)
{
    return mem_read(m, start, h, sizeof(*h)) && !memcmp(h->e_ident, ELFMAG, SELFMAG) &&
           h->e_ident[EI_CLASS] == ELFCLASS64 && h->e_machine == EM_X86_64 &&
           h->e_phentsize == sizeof(*p) && h->e_phnum > 0 && h->e_phnum <= MAX_HEADERS &&
           h->e_phoff < MAX_IMAGE && mem_read(m, start + h->e_phoff, p, h->e_phnum * sizeof(*p));
}

static size_t image_size(const Elf64_Phdr *p, int n)
{
    uint64_t size = 0;
    for (int i = 0; i < n; i++) {
        if (p[i].p_type != PT_LOAD)
            continue;
        if (p[i].p_offset > MAX_IMAGE || p[i].p_filesz > MAX_IMAGE)
            return 0;
        if (p[i].p_offset + p[i].p_filesz > size)
            size = p[i].p_offset + p[i].p_filesz;
    }
    return size <= MAX_IMAGE ? size : 0;
}

// What cannot be read stays zero: a missing page costs its own frames only.
static void read_pieces(struct mem *m, uint64_t from, uint8_t *to, size_t n)
{
    while (n > 0) {
        size_t piece = MEM_PAGE - from % MEM_PAGE;
        if (piece > n)
            piece = n;
        mem_read(m, from, to, piece);
        from += piece;
        to += piece;
        n -= piece;
    }
}

static uint64_t first_address(const Elf64_Phdr *p, int n)
{
    for (int i = 0; i < n; i++)
        if (p[i].p_type == PT_LOAD)
            return p[i].p_vaddr - p[i].p_offset;
    return 0;
}

static int from_segments(struct mem *m, uint64_t start, Elf64_Ehdr *h, const Elf64_Phdr *p,
                         void **ret, size_t *size)
{
    *size = image_size(p, h->e_phnum);
    uint8_t *image = *size >= sizeof(*h) ? calloc(1, *size) : NULL;
    if (!image)
        return *size ? -ENOMEM : -ENOEXEC;
    uint64_t bias = start - first_address(p, h->e_phnum);
    for (int i = 0; i < h->e_phnum; i++)
        if (p[i].p_type == PT_LOAD)
            read_pieces(m, bias + p[i].p_vaddr, image + p[i].p_offset, p[i].p_filesz);
    h->e_shoff = 0; // section headers are not loaded
    h->e_shnum = h->e_shstrndx = 0;
    memcpy(image, h, sizeof(*h));
    *ret = image;
    return 0;
}

int image_from_memory(struct mem *m, uint64_t start, uint64_t end, void **ret, size_t *size)
{
    Elf64_Ehdr h;
    Elf64_Phdr p[MAX_HEADERS];
    if (!read_headers(m, start, &h, p))
        return -ENOEXEC;
    if (!end)
        return from_segments(m, start, &h, p, ret, size);
    *size = end - start;
    if (*size > MAX_IMAGE)
        return -EFBIG;
    *ret = calloc(1, *size);
    if (!*ret)
        return -ENOMEM;
    read_pieces(m, start, *ret, *size);
    return 0;
}
