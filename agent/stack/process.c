#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../list.h"
#include "cache.h"
#include "clock.h"
#include "image.h"
#include "lines.h"
#include "perf_map.h"
#include "walkers.h"

#define OWN_TABLE         "/memfd:loopscope"
#define PRELOAD_MODULES   96
#define PERF_MAP_RETRY_NS 10000000000ll

static bool fetch_live(void *arg, uint64_t address, void *buf, size_t n)
{
    const struct memory *m = arg;
    return pread(m->fd, buf, n, (off_t)address) == (ssize_t)n;
}

int memory_open(struct memory *m)
{
    m->fd = -1;
    m->mem = mem_new(fetch_live, m);
    return m->mem ? 0 : -ENOMEM;
}

void memory_close(struct memory *m)
{
    mem_free(m->mem);
    m->mem = NULL;
}

void process_begin(struct process *p, uint64_t stack_base, const void *stack, size_t stack_len,
                   uint64_t max_pages, int64_t max_ns)
{
    p->memory->fd = p->mem_fd;
    mem_begin(p->mem, stack_base, stack, stack_len, max_pages, now_ns() + max_ns);
}

struct process *process_new(int pid, const struct process_files *files, struct memory *memory,
                            struct module_cache *cache, const struct opener *opener)
{
    struct process_files mine = *files;
    struct process *p = calloc(1, sizeof(*p));
    if (!p) {
        close_process_files(&mine);
        return NULL;
    }
    p->pid = pid;
    p->mem_fd = mine.mem_fd;
    p->maps_fd = mine.maps_fd;
    p->entry = mine.entry;
    p->memory = memory;
    p->mem = memory->mem;
    p->cache = cache;
    p->opener = opener;
    return p;
}

static void drop_unmapped(struct process *p)
{
    int kept = 0;
    for (int i = 0; i < p->nheld; i++) {
        if (p->held[i].mapped)
            p->held[kept++] = p->held[i];
        else
            module_unref(p->held[i].module);
    }
    p->nheld = kept;
}

void process_free(struct process *p)
{
    if (!p)
        return;
    walkers_free(p->walkers);
    perf_map_free(p->perf_map);
    for (int i = 0; i < p->nheld; i++)
        module_unref(p->held[i].module);
    free(p->held);
    module_unref(p->vdso);
    maps_free(&p->maps);
    close(p->mem_fd);
    close(p->maps_fd);
    free(p);
}

static struct held *find_held(const struct process *p, const struct mapping *m)
{
    for (int i = 0; i < p->nheld; i++)
        if (p->held[i].inode == m->inode && p->held[i].device == m->device)
            return &p->held[i];
    return NULL;
}

int process_refresh(struct process *p)
{
    struct maps maps;
    int err = maps_read(&maps, p->maps_fd);
    if (err < 0)
        return err;
    maps_free(&p->maps);
    p->maps = maps;
    p->maps_read_ns = now_ns();
    for (int i = 0; i < p->nheld; i++)
        p->held[i].mapped = false;
    for (int i = 0; i < maps.n; i++) {
        if (!strncmp(maps.list[i].path, OWN_TABLE, strlen(OWN_TABLE)))
            p->own_runtime = true;
        struct held *h = maps.list[i].inode ? find_held(p, &maps.list[i]) : NULL;
        if (!h)
            continue;
        h->mapped = true;
        maps.list[i].module = h->module;
    }
    drop_unmapped(p);
    return 0;
}

void process_refresh_if_older(struct process *p, int64_t age_ns)
{
    if (p->maps_read_ns == 0 || now_ns() - p->maps_read_ns > age_ns)
        process_refresh(p);
}

static struct held *hold(struct process *p, const struct mapping *m, struct module *module)
{
    if (!list_room(p->held, p->nheld, p->held_cap)) {
        module_unref(module);
        return NULL;
    }
    struct held *h = &p->held[p->nheld++];
    *h = (struct held){m->device, m->inode, module, true};
    return h;
}

static const struct mapping *first_of_file(const struct process *p, const struct mapping *m)
{
    for (int i = 0; i < p->maps.n; i++)
        if (p->maps.list[i].inode == m->inode && p->maps.list[i].device == m->device &&
            p->maps.list[i].offset == 0)
            return &p->maps.list[i];
    return NULL;
}

static struct module *open_module(struct process *p, const struct mapping *m)
{
    struct file_wish wish = {WISH_MAPPING, p->pid, m->start, m->end, ""};
    struct module *module = NULL;
    int fd = p->opener->open(p->opener->arg, &wish);
    if (fd >= 0) {
        module_open(&module, fd, m->path);
        return module;
    }
    void *image;
    size_t size;
    const struct mapping *first = first_of_file(p, m);
    if (first && image_from_memory(p->mem, first->start, 0, &image, &size) == 0)
        module_from_image(&module, image, size, m->path);
    return module;
}

static struct module *vdso_of(struct process *p, const struct mapping *m)
{
    void *image;
    size_t size;
    if (!p->vdso && image_from_memory(p->mem, m->start, m->end, &image, &size) == 0)
        module_from_image(&p->vdso, image, size, m->path);
    return p->vdso;
}

struct module *process_module(struct process *p, struct mapping *m)
{
    if (m->module)
        return m->module;
    if (!strcmp(m->path, "[vdso]"))
        return m->module = vdso_of(p, m);
    if (mapping_is_anonymous(m) || m->inode == 0)
        return NULL;
    struct held *h = find_held(p, m);
    if (!h) {
        struct module *module = module_cache_find(p->cache, m->device, m->inode);
        if (module) {
            module_ref(module);
        } else if ((module = open_module(p, m))) {
            module->device = m->device;
            module->inode = m->inode;
            if (!module->image) // what came out of one process's memory is not for others
                module_cache_add(p->cache, module);
        }
        h = hold(p, m, module);
    }
    return m->module = h ? h->module : NULL;
}

void process_add_debug_file(struct process *p, struct module *m)
{
    struct file_wish wish = {.kind = WISH_DEBUG, .pid = p->pid};
    if (m->debug_file_tried || !*m->build_id || m->image || module_has_section(m, ".debug_info"))
        return;
    m->debug_file_tried = true;
    memcpy(wish.build_id, m->build_id, sizeof(m->build_id));
    int fd = p->opener->open(p->opener->arg, &wish);
    if (fd >= 0)
        module_add_debug_file(m, fd);
}

void process_find_perf_map(struct process *p)
{
    struct file_wish wish = {.kind = WISH_PERF_MAP, .pid = p->pid};
    if (p->perf_map) {
        perf_map_refresh(p->perf_map);
        return;
    }
    int64_t now = now_ns();
    if (p->perf_map_tried_ns && now - p->perf_map_tried_ns < PERF_MAP_RETRY_NS)
        return;
    p->perf_map_tried_ns = now;
    int fd = p->opener->open(p->opener->arg, &wish);
    if (fd >= 0 && (p->perf_map = perf_map_new(fd)))
        perf_map_refresh(p->perf_map);
}

bool process_bias(struct process *p, const struct module *m, uint64_t *bias)
{
    for (int i = 0; i < p->maps.n; i++) {
        struct mapping *map = &p->maps.list[i];
        uint64_t address;
        bool mine = m == p->vdso ? map->module == m
                                 : map->inode == m->inode && map->inode && map->device == m->device;
        if (mine && module_address_of(m, map->offset, &address)) {
            *bias = map->start - address;
            return true;
        }
    }
    return false;
}

// Text that was copied to huge pages lies in anonymous memory between mappings of its file.
static struct module *module_around(struct process *p, const struct mapping *m, uint64_t *bias)
{
    for (const struct mapping *before = m;
         before-- > p->maps.list && m->start - before->end < 1u << 30;) {
        struct module *module = before->module;
        if (!module || !module->nsegments || module == p->vdso)
            continue;
        const struct segment *last = &module->segments[module->nsegments - 1];
        if (process_bias(p, module, bias) && m->end - *bias <= last->address + last->memory_size)
            return module;
        return NULL;
    }
    return NULL;
}

struct place process_locate(struct process *p, uint64_t address)
{
    struct mapping *m = maps_find(&p->maps, address);
    struct place place = {.mapping = m};
    if (!m)
        return place;
    place.module = process_module(p, m);
    if (place.module &&
        module_address_of(place.module, address - m->start + m->offset, &place.address)) {
        place.bias = address - place.address;
    } else if (m->exec && mapping_is_anonymous(m) &&
               (place.module = module_around(p, m, &place.bias))) {
        place.address = address - place.bias;
    } else {
        place.module = NULL;
        place.jit = m->exec;
    }
    return place;
}

bool process_is_code(struct process *p, uint64_t address)
{
    const struct mapping *m = maps_find(&p->maps, address);
    return m && m->exec;
}

struct module *process_exe(struct process *p)
{
    struct mapping *m = maps_find(&p->maps, p->entry);
    return m ? process_module(p, m) : NULL;
}

// What the first look at it would otherwise have to wait for: sorts the symbols, finds the units of debug
// data.
static void warm_up(struct module *m, bool lines)
{
    struct symbol s;
    struct source_line ignored[LINES_INLINES];
    module_load_cfi(m);
    module_symbol_at(m, m->entry, &s);
    if (lines)
        lines_at(m, m->entry, ignored);
}

void process_preload(struct process *p)
{
    int opened = 0;
    struct module *exe = process_exe(p);
    for (int i = 0; i < p->maps.n && opened < PRELOAD_MODULES; i++) {
        struct mapping *m = &p->maps.list[i];
        struct module *module = m->exec ? process_module(p, m) : NULL;
        if (!module)
            continue;
        opened++;
        warm_up(module, module == exe);
    }
    if (exe && !exe->is_64bit)
        p->why_not = "the target is a 32-bit program";
}

static bool name_contains(const char *path, const char *part)
{
    const char *slash = strrchr(path, '/');
    return !part || strstr(slash ? slash + 1 : path, part);
}

// The next executable module whose base name contains part; *i is where to look on.
static struct module *next_module(struct process *p, const char *part, int *i)
{
    while (*i < p->maps.n) {
        struct mapping *m = &p->maps.list[(*i)++];
        struct module *module =
            m->exec && name_contains(m->path, part) ? process_module(p, m) : NULL;
        if (module)
            return module;
    }
    return NULL;
}

uint64_t process_symbol(struct process *p, const char *module, const char *name)
{
    struct module *m;
    struct symbol s;
    uint64_t bias;
    for (int i = 0; (m = next_module(p, module, &i));)
        if (module_symbol_named(m, name, &s) && process_bias(p, m, &bias))
            return s.address + bias;
    return 0;
}

uint64_t process_section(struct process *p, const char *module, const char *name, uint64_t *size)
{
    struct module *m;
    uint64_t bias, address;
    for (int i = 0; (m = next_module(p, module, &i));)
        if ((address = module_section(m, name, size)) && process_bias(p, m, &bias))
            return address + bias;
    return 0;
}

uint64_t process_text(struct process *p, const char *module, const char *text)
{
    struct module *m;
    uint64_t bias, address;
    for (int i = 0; (m = next_module(p, module, &i));)
        if ((address = module_text(m, text)) && process_bias(p, m, &bias))
            return address + bias;
    return 0;
}

int process_text_users(struct process *p, const char *module, const char *const *texts, int ntexts,
                       struct code_range *ret, int max)
{
    struct module *m;
    uint64_t bias;
    for (int i = 0; (m = next_module(p, module, &i));) {
        int n = module_text_users(m, texts, ntexts, ret, max);
        if (!n || !process_bias(p, m, &bias))
            continue;
        for (int k = 0; k < n; k++)
            ret[k] = (struct code_range){ret[k].start + bias, ret[k].end + bias};
        return n;
    }
    return 0;
}
