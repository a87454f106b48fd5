#include "native.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_MAPS 4096

struct map {
    uint64_t start, end, offset, inode;
    bool exec;
    char path[256];
};

struct native {
    int pid, fd;
    struct mem *mem;
    struct lang_process process;
    Dwfl *dwfl;
    struct map maps[MAX_MAPS];
    int nmaps;
    const struct sample *sample;
    struct native_frame *frames;
    int nframes, max;
};

static bool fetch(void *arg, uint64_t address, void *buf, size_t n)
{
    struct native *p = arg;
    return pread(p->fd, buf, n, (off_t)address) == (ssize_t)n;
}

static void read_maps(struct native *n)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/maps", n->pid);
    FILE *f = fopen(path, "r");
    n->nmaps = 0;
    while (f && n->nmaps < MAX_MAPS && fgets(line, sizeof line, f)) {
        struct map *m = &n->maps[n->nmaps];
        char mode[8];
        m->path[0] = 0;
        if (sscanf(line, "%lx-%lx %7s %lx %*s %lu %255[^\n]", &m->start, &m->end, mode, &m->offset,
                   &m->inode, m->path) < 5)
            continue;
        m->exec = mode[2] == 'x';
        n->nmaps++;
    }
    if (f)
        fclose(f);
}

static struct map *map_of(struct native *n, uint64_t address)
{
    for (int i = 0; i < n->nmaps; i++)
        if (address >= n->maps[i].start && address < n->maps[i].end)
            return &n->maps[i];
    return NULL;
}

// The same file bytes in the file's first mapping of them: V8 maps its builtins a second time.
static uint64_t canonical(struct native *n, uint64_t address)
{
    struct map *m = map_of(n, address);
    uint64_t offset = m ? address - m->start + m->offset : 0;
    for (int i = 0; m && m->inode && i < n->nmaps; i++) {
        struct map *o = &n->maps[i];
        if (o->inode == m->inode && o->exec && offset >= o->offset &&
            offset < o->offset + (o->end - o->start))
            return o->start + (offset - o->offset);
    }
    return address;
}

static bool mapping(void *arg, uint64_t address, uint64_t *start, uint64_t *end, bool *exec,
                    const char **path)
{
    struct native *n = arg;
    struct map *m = map_of(n, address);
    if (!m) {
        read_maps(n);
        m = map_of(n, address);
    }
    if (!m)
        return false;
    *start = m->start;
    *end = m->end;
    *exec = m->exec;
    *path = m->path[0] ? m->path : NULL;
    return true;
}

struct search {
    const char *module, *name;
    uint64_t address, size;
    bool section;
};

static void search_symbols(Dwfl_Module *m, struct search *s)
{
    int n = dwfl_module_getsymtab(m);
    for (int i = 1; i < n; i++) {
        GElf_Sym sym;
        GElf_Addr address;
        GElf_Word shndx;
        const char *name = dwfl_module_getsym_info(m, i, &sym, &address, &shndx, NULL, NULL);
        if (name && shndx != SHN_UNDEF && !strcmp(name, s->name)) {
            s->address = address;
            return;
        }
    }
}

static void search_sections(Dwfl_Module *m, struct search *s)
{
    GElf_Addr bias;
    Elf *elf = dwfl_module_getelf(m, &bias);
    size_t names;
    if (!elf || elf_getshdrstrndx(elf, &names))
        return;
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
        GElf_Shdr h;
        if (!gelf_getshdr(scn, &h) || strcmp(elf_strptr(elf, names, h.sh_name), s->name) != 0)
            continue;
        s->address = h.sh_addr + bias;
        s->size = h.sh_size;
    }
}

static int search_module(Dwfl_Module *m, void **user, const char *name, Dwarf_Addr base, void *arg)
{
    (void)user;
    (void)base;
    struct search *s = arg;
    const char *file = strrchr(name, '/');
    if (s->module && !strstr(file ? file + 1 : name, s->module))
        return DWARF_CB_OK;
    if (s->section)
        search_sections(m, s);
    else
        search_symbols(m, s);
    return s->address ? DWARF_CB_ABORT : DWARF_CB_OK;
}

static uint64_t symbol(void *arg, const char *module, const char *name)
{
    struct native *n = arg;
    struct search s = {module, name, 0, 0, false};
    dwfl_getmodules(n->dwfl, search_module, &s, 0);
    return s.address;
}

static uint64_t section(void *arg, const char *module, const char *name, uint64_t *size)
{
    struct native *n = arg;
    struct search s = {module, name, 0, 0, true};
    dwfl_getmodules(n->dwfl, search_module, &s, 0);
    *size = s.size;
    return s.address;
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread)
{
    (void)dwfl;
    struct native *n = arg;
    if (*thread)
        return 0;
    *thread = n;
    return n->pid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread)
{
    (void)dwfl;
    (void)tid;
    *thread = arg;
    return true;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret, void *arg)
{
    (void)dwfl;
    struct native *n = arg;
    uint64_t v;
    if (!mem_u64(n->mem, address, &v))
        return false;
    *ret = v;
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
    struct native *n = arg;
    Dwarf_Word w[17];
    for (int i = 0; i < 17; i++)
        w[i] = n->sample->regs[i];
    return dwfl_thread_state_registers(thread, 0, 17, w);
}

static int no_debug_file(Dwfl_Module *m, void **user, const char *name, Dwarf_Addr base,
                         const char *file, const char *link, GElf_Word crc, char **ret)
{
    (void)m, (void)user, (void)name, (void)base, (void)file, (void)link, (void)crc, (void)ret;
    return -1;
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_linux_proc_find_elf,
    .find_debuginfo = no_debug_file,
};
static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = memory_read,
    .set_initial_registers = set_registers,
};

struct native *native_open(int pid)
{
    struct native *n = calloc(1, sizeof *n);
    char path[64];
    n->pid = pid;
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    n->fd = open(path, O_RDONLY | O_CLOEXEC);
    n->mem = mem_new(fetch, n);
    n->dwfl = dwfl_begin(&callbacks);
    n->process = (struct lang_process){pid, n, symbol, section, mapping};
    read_maps(n);
    dwfl_report_begin(n->dwfl);
    if (n->fd < 0 || dwfl_linux_proc_report(n->dwfl, pid) || dwfl_report_end(n->dwfl, NULL, NULL) ||
        !dwfl_attach_state(n->dwfl, NULL, pid, &thread_callbacks, n)) {
        native_close(n);
        return NULL;
    }
    return n;
}

void native_close(struct native *n)
{
    if (!n)
        return;
    dwfl_end(n->dwfl);
    mem_free(n->mem);
    if (n->fd >= 0)
        close(n->fd);
    free(n);
}

struct mem *native_mem(struct native *n)
{
    return n->mem;
}

const struct lang_process *native_process(struct native *n)
{
    return &n->process;
}

static void fill_symbol(struct native *n, struct native_frame *f)
{
    struct map *m = map_of(n, f->pc);
    f->jit = m && m->exec && (!m->path[0] || m->path[0] == '[') && strcmp(m->path, "[vdso]") != 0;
    if (!m || f->jit)
        return;
    uint64_t at = canonical(n, f->activation ? f->pc : f->pc - 1);
    Dwfl_Module *module = dwfl_addrmodule(n->dwfl, at);
    GElf_Off offset;
    GElf_Sym sym;
    f->module = m->path[0] ? m->path : NULL;
    f->symbol = module ? dwfl_module_addrinfo(module, at, &offset, &sym, NULL, NULL, NULL) : NULL;
}

static int on_frame(Dwfl_Frame *frame, void *arg)
{
    struct native *n = arg;
    struct native_frame *f = &n->frames[n->nframes];
    Dwarf_Word sp = 0, bp = 0;
    bool activation;
    *f = (struct native_frame){0};
    if (!dwfl_frame_pc(frame, &f->pc, &activation))
        return DWARF_CB_ABORT;
    dwfl_frame_reg(frame, 6, &bp);
    dwfl_frame_reg(frame, 7, &sp);
    f->bp = bp;
    f->sp = sp;
    f->activation = activation;
    fill_symbol(n, f);
    return ++n->nframes < n->max ? DWARF_CB_OK : DWARF_CB_ABORT;
}

int native_frames(struct native *n, const struct sample *s, struct native_frame *frames, int max)
{
    n->sample = s;
    n->frames = frames;
    n->nframes = 0;
    n->max = max;
    read_maps(n);
    dwfl_getthread_frames(n->dwfl, n->pid, on_frame, n);
    return n->nframes;
}
