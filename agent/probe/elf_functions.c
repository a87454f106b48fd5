#include "elf_functions.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct search {
    Elf *elf;
    const char *const *names;
    size_t n;
    uint64_t *offsets;
    size_t prefix; // length of what all names begin with: most symbols are told by it
    int found;
};

static size_t common_prefix(const char *const *names, size_t n)
{
    size_t length = n > 0 ? strlen(names[0]) : 0;
    for (size_t i = 1; i < n; i++)
        while (strncmp(names[0], names[i], length) != 0)
            length--;
    return length;
}

// Addresses are of the loaded program; a probe is put into the file.
static uint64_t file_offset(Elf *elf, uint64_t address)
{
    size_t n;
    GElf_Phdr p;
    if (elf_getphdrnum(elf, &n) != 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD && p.p_flags & PF_X &&
            address >= p.p_vaddr && address - p.p_vaddr < p.p_filesz)
            return address - p.p_vaddr + p.p_offset;
    return 0;
}

static void match(struct search *s, const char *name, const GElf_Sym *symbol)
{
    if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF || !name ||
        strncmp(name, s->names[0], s->prefix) != 0)
        return;
    for (size_t i = 0; i < s->n; i++) {
        if (s->offsets[i] || strcmp(name, s->names[i]) != 0)
            continue;
        s->offsets[i] = file_offset(s->elf, symbol->st_value);
        s->found += s->offsets[i] != 0;
        return;
    }
}

static void search_section(struct search *s, Elf_Scn *section)
{
    GElf_Shdr header;
    GElf_Sym symbol;
    if (!gelf_getshdr(section, &header) || header.sh_entsize == 0 ||
        (header.sh_type != SHT_DYNSYM && header.sh_type != SHT_SYMTAB))
        return;
    Elf_Data *data = elf_getdata(section, NULL);
    size_t n = data ? data->d_size / header.sh_entsize : 0;
    for (size_t i = 0; i < n && s->found < (int)s->n; i++)
        if (gelf_getsym(data, (int)i, &symbol))
            match(s, elf_strptr(s->elf, header.sh_link, symbol.st_name), &symbol);
}

int elf_functions(const char *path, const char *const *names, size_t n, uint64_t *offsets)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    elf_version(EV_CURRENT);
    struct search s = {.elf = elf_begin(fd, ELF_C_READ_MMAP, NULL),
                       .names = names,
                       .n = n,
                       .offsets = offsets,
                       .prefix = common_prefix(names, n)};
    memset(offsets, 0, sizeof(*offsets) * n);
    if (s.elf && elf_kind(s.elf) == ELF_K_ELF && gelf_getclass(s.elf) == ELFCLASS64)
        for (Elf_Scn *section = NULL; (section = elf_nextscn(s.elf, section));)
            search_section(&s, section);
    elf_end(s.elf); // NULL is fine
    close(fd);
    return s.found;
}
