#include "native.h"

#include <stdlib.h>

#include "../../../agent/stack/cache.h"
#include "../../../agent/stack/merge.h"
#include "../../../agent/stack/opener.h"
#include "../../../agent/stack/process.h"
#include "../../../agent/stack/unwind.h"

#define MAX_PAGES 1000000

struct native {
    struct memory memory;
    struct module_cache *cache;
    struct opener opener;
    struct process *process;
    struct lang_process lang;
    struct arena *arena;
    struct unwound unwound;
};

static int open_directly(void *arg, const struct file_wish *w)
{
    (void)arg;
    return open_file_wish(w);
}

static uint64_t symbol(void *arg, const char *module, const char *name)
{
    return process_symbol(arg, module, name);
}

static uint64_t section(void *arg, const char *module, const char *name, uint64_t *size)
{
    return process_section(arg, module, name, size);
}

static bool mapping(void *arg, uint64_t address, uint64_t *start, uint64_t *end, bool *exec,
                    const char **path)
{
    struct process *p = arg;
    const struct mapping *m = maps_find(&p->maps, address);
    if (!m)
        return false;
    *start = m->start;
    *end = m->end;
    *exec = m->exec;
    *path = *m->path ? m->path : NULL;
    return true;
}

static uint64_t text(void *arg, const char *module, const char *text)
{
    return process_text(arg, module, text);
}

static int text_users(void *arg, const char *module, const char *const *texts, int ntexts,
                      struct code_range *ret, int max)
{
    return process_text_users(arg, module, texts, ntexts, ret, max);
}

struct native *native_open(int pid)
{
    struct native *n = calloc(1, sizeof *n);
    struct process_files files;
    n->opener = (struct opener){.open = open_directly};
    n->cache = module_cache_new();
    if (memory_open(&n->memory) < 0 || open_process_files(pid, &files, NULL) < 0)
        goto fail;
    n->process = process_new(pid, &files, &n->memory, n->cache, &n->opener);
    if (!n->process || process_refresh(n->process) < 0)
        goto fail;
    n->lang = (struct lang_process){pid, n->process, symbol, section, mapping, text, text_users};
    native_begin(n, NULL, 2000);
    return n;
fail:
    native_close(n);
    return NULL;
}

void native_close(struct native *n)
{
    if (!n)
        return;
    process_free(n->process);
    memory_close(&n->memory);
    module_cache_free(n->cache);
    arena_free(n->arena);
    free(n);
}

struct mem *native_mem(struct native *n)
{
    return n->process->mem;
}

const struct lang_process *native_process(struct native *n)
{
    return &n->lang;
}

void native_begin(struct native *n, const struct sample *s, int64_t ms)
{
    process_begin(n->process, s ? s->stack_base : 0, s ? s->stack : NULL, s ? s->stack_len : 0,
                  MAX_PAGES, ms * 1000000);
}

int native_frames(struct native *n, const struct sample *s, const struct native_frame **frames)
{
    const uint64_t *r = s->regs;
    struct ls_regs regs = {.ax = r[0],
                           .dx = r[1],
                           .cx = r[2],
                           .bx = r[3],
                           .si = r[4],
                           .di = r[5],
                           .bp = r[6],
                           .sp = r[7],
                           .r8 = r[8],
                           .r9 = r[9],
                           .r10 = r[10],
                           .r11 = r[11],
                           .r12 = r[12],
                           .r13 = r[13],
                           .r14 = r[14],
                           .r15 = r[15],
                           .ip = r[16],
                           .orig_ax = (unsigned long long)-1};
    arena_free(n->arena);
    n->arena = arena_new();
    process_refresh(n->process);
    unwind(n->process, &regs, &n->unwound);
    *frames = name_frames(n->process, n->arena, &n->unwound);
    return n->unwound.n;
}
