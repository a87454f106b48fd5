#include "module.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lines.h"
#include "mini_debug.h"

static void read_segments(struct module *m)
{
    size_t n = 0;
    if (elf_getphdrnum(m->elf, &n) != 0)
        return;
    for (size_t i = 0; i < n && m->nsegments < MODULE_SEGMENTS; i++) {
        GElf_Phdr p;
        if (!gelf_getphdr(m->elf, (int)i, &p) || p.p_type != PT_LOAD)
            continue;
        m->segments[m->nsegments++] = (struct segment){.offset = p.p_offset,
                                                       .file_size = p.p_filesz,
                                                       .address = p.p_vaddr,
                                                       .memory_size = p.p_memsz,
                                                       .exec = p.p_flags & PF_X};
    }
}

static void read_build_id(struct module *m)
{
    const void *bytes;
    ssize_t n = dwelf_elf_gnu_build_id(m->elf, &bytes);
    if (n <= 0 || n > (BUILD_ID_HEX - 1) / 2)
        return;
    for (ssize_t i = 0; i < n; i++)
        snprintf(m->build_id + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
}

static int read_header(struct module *m)
{
    GElf_Ehdr h;
    if (elf_kind(m->elf) != ELF_K_ELF || !gelf_getehdr(m->elf, &h))
        return -ENOEXEC;
    m->is_64bit = gelf_getclass(m->elf) == ELFCLASS64 && h.e_machine == EM_X86_64;
    if (!m->is_64bit)
        return 0;
    m->entry = h.e_entry;
    read_segments(m);
    read_build_id(m);
    return 0;
}

static struct module *module_new(const char *path)
{
    elf_version(EV_CURRENT);
    struct module *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    m->refs = 1;
    m->role = -1;
    m->path = strdup(path);
    if (!m->path) {
        free(m);
        return NULL;
    }
    return m;
}

// The whole file is mapped, so the descriptor is not needed any longer.
static Elf *map_elf(int fd)
{
    Elf *elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (elf && elf_cntl(elf, ELF_C_FDDONE) != 0) {
        elf_end(elf);
        elf = NULL;
    }
    close(fd);
    return elf;
}

int module_open(struct module **ret, int fd, const char *path)
{
    *ret = NULL;
    struct module *m = module_new(path);
    if (!m) {
        close(fd);
        return -ENOMEM;
    }
    m->elf = map_elf(fd);
    int err = m->elf ? read_header(m) : -ENOEXEC;
    if (err < 0) {
        module_unref(m);
        return err;
    }
    *ret = m;
    return 0;
}

int module_from_image(struct module **ret, void *image, size_t size, const char *path)
{
    *ret = NULL;
    struct module *m = module_new(path);
    if (!m) {
        free(image);
        return -ENOMEM;
    }
    m->image = image;
    m->elf = elf_memory(image, size);
    int err = m->elf ? read_header(m) : -ENOEXEC;
    if (err < 0) {
        module_unref(m);
        return err;
    }
    *ret = m;
    return 0;
}

struct module *module_ref(struct module *m)
{
    m->refs++;
    return m;
}

void module_unref(struct module *m)
{
    if (!m || --m->refs > 0)
        return;
    lines_free(m->lines);
    symtab_free(m->symbols);
    if (m->dwarf)
        dwarf_end(m->dwarf);
    if (m->eh_frame)
        dwarf_cfi_end(m->eh_frame);
    elf_end(m->debug_elf);
    elf_end(m->mini_elf);
    free(m->mini_image);
    elf_end(m->elf);
    free(m->image);
    free(m->path);
    free(m);
}

bool module_address_of(const struct module *m, uint64_t file_offset, uint64_t *address)
{
    const struct segment *found = NULL;
    for (int i = 0; i < m->nsegments; i++) {
        const struct segment *s = &m->segments[i];
        // Mappings are whole pages: a page may lie partly outside its segment.
        uint64_t begin = s->offset & ~4095ull, end = (s->offset + s->file_size + 4095) & ~4095ull;
        bool inside = file_offset - s->offset < s->file_size;
        if (inside || (!found && file_offset >= begin && file_offset < end))
            found = s;
        if (inside)
            break;
    }
    if (found)
        *address = found->address + (file_offset - found->offset);
    return found != NULL;
}

static Elf_Scn *find_section(const struct module *m, const char *name, GElf_Shdr *header)
{
    size_t names;
    if (!m->is_64bit || elf_getshdrstrndx(m->elf, &names) != 0)
        return NULL;
    for (Elf_Scn *s = NULL; (s = elf_nextscn(m->elf, s));) {
        if (!gelf_getshdr(s, header))
            continue;
        const char *found = elf_strptr(m->elf, names, header->sh_name);
        if (found && !strcmp(found, name))
            return s;
    }
    return NULL;
}

// Names of the file's own functions beside the exported ones, where it brings them along.
static void add_mini_debug(struct module *m)
{
    GElf_Shdr header;
    Elf_Scn *packed = find_section(m, ".gnu_debugdata", &header);
    Elf_Data *data =
        packed && !find_section(m, ".symtab", &header) ? elf_rawdata(packed, NULL) : NULL;
    size_t size;
    if (!data || !data->d_buf ||
        mini_debug_unpack(data->d_buf, data->d_size, &m->mini_image, &size) < 0)
        return;
    m->mini_elf = elf_memory(m->mini_image, size);
    if (m->mini_elf && elf_kind(m->mini_elf) == ELF_K_ELF &&
        gelf_getclass(m->mini_elf) == ELFCLASS64)
        symtab_add(m->symbols, m->mini_elf);
}

static struct symtab *symbols_of(struct module *m)
{
    if (!m->symbols_tried && m->is_64bit) {
        m->symbols_tried = true;
        m->symbols = symtab_new();
        if (m->symbols) {
            symtab_add(m->symbols, m->elf);
            add_mini_debug(m);
        }
    }
    return m->symbols;
}

bool module_symbol_at(struct module *m, uint64_t address, struct symbol *ret)
{
    struct symtab *t = symbols_of(m);
    return t && symtab_at(t, address, ret);
}

bool module_symbol_named(struct module *m, const char *name, struct symbol *ret)
{
    struct symtab *t = symbols_of(m);
    return t && symtab_named(t, name, ret);
}

bool module_symbol_contains(struct module *m, const char *part)
{
    struct symtab *t = symbols_of(m);
    return t && symtab_contains(t, part);
}

uint64_t module_section(const struct module *m, const char *name, uint64_t *size)
{
    GElf_Shdr header;
    if (!find_section(m, name, &header) || !(header.sh_flags & SHF_ALLOC))
        return 0;
    if (size)
        *size = header.sh_size;
    return header.sh_addr;
}

bool module_has_section(const struct module *m, const char *name)
{
    GElf_Shdr header;
    return find_section(m, name, &header) != NULL;
}

const uint8_t *module_bytes(const struct module *m, const char *section, uint64_t *size)
{
    GElf_Shdr header;
    Elf_Scn *s = find_section(m, section, &header);
    Elf_Data *data = s ? elf_rawdata(s, NULL) : NULL;
    *size = data && data->d_buf ? data->d_size : 0;
    return data ? data->d_buf : NULL;
}

bool module_has_bytes(const struct module *m, const char *section, const char *text)
{
    uint64_t size;
    const uint8_t *bytes = module_bytes(m, section, &size);
    return bytes && memmem(bytes, size, text, strlen(text));
}

bool module_needs(const struct module *m, const char *library)
{
    GElf_Shdr header;
    Elf_Scn *s = find_section(m, ".dynamic", &header);
    Elf_Data *data = s ? elf_getdata(s, NULL) : NULL;
    GElf_Dyn d;
    for (int i = 0; data && gelf_getdyn(data, i, &d) && d.d_tag != DT_NULL; i++) {
        const char *name =
            d.d_tag == DT_NEEDED ? elf_strptr(m->elf, header.sh_link, d.d_un.d_val) : NULL;
        if (name && strstr(name, library))
            return true;
    }
    return false;
}

Dwarf *module_dwarf(struct module *m)
{
    if (!m->dwarf_tried && m->is_64bit) {
        m->dwarf_tried = true;
        m->dwarf = dwarf_begin_elf(m->debug_elf ? m->debug_elf : m->elf, DWARF_C_READ, NULL);
    }
    return m->dwarf;
}

void module_load_cfi(struct module *m)
{
    if (m->cfi_tried || !m->is_64bit)
        return;
    m->cfi_tried = true;
    m->eh_frame = dwarf_getcfi_elf(m->elf);
    if (m->eh_frame && !module_has_section(m, ".debug_frame"))
        return;
    Dwarf *dwarf = module_dwarf(m);
    m->debug_frame = dwarf ? dwarf_getcfi(dwarf) : NULL;
}

int module_add_debug_file(struct module *m, int fd)
{
    if (m->debug_elf || !m->is_64bit) {
        close(fd);
        return -EEXIST;
    }
    Elf *elf = map_elf(fd);
    if (!elf || elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS64) {
        elf_end(elf);
        return -ENOEXEC;
    }
    m->debug_elf = elf;
    if (symbols_of(m))
        symtab_add(m->symbols, elf);
    if (m->dwarf && !m->debug_frame) { // the stripped file's own has nothing to tell
        dwarf_end(m->dwarf);
        m->dwarf = NULL;
    }
    if (!m->dwarf)
        m->dwarf_tried = false;
    return 0;
}
