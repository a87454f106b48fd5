#include "walkers.h"

#include <stdlib.h>
#include <string.h>

#include "process.h"

#define MAX_LANGS 8
#define MAX_TRIES 8 // of an attach that ran out of time

struct attached {
    const struct lang *lang;
    void *self;
};

struct walkers {
    struct lang_process seen;
    int n;
    struct attached list[MAX_LANGS];
    int code_mappings; // at the last try: files that can hold an interpreter
    int tries;         // left, of a try that ran out of time; 0: done
    char note[160], version[32];
};

static uint64_t find_symbol(void *arg, const char *module, const char *name)
{
    return process_symbol(arg, module, name);
}

static uint64_t find_section(void *arg, const char *module, const char *name, uint64_t *size)
{
    return process_section(arg, module, name, size);
}

static bool find_mapping(void *arg, uint64_t address, uint64_t *start, uint64_t *end, bool *exec,
                         const char **path)
{
    struct process *p = arg;
    const struct mapping *m = maps_find(&p->maps, address);
    if (!m)
        return false;
    *start = m->start;
    *end = m->end;
    *exec = m->exec;
    if (path)
        *path = *m->path ? m->path : NULL;
    return true;
}

static uint64_t find_text(void *arg, const char *module, const char *text)
{
    return process_text(arg, module, text);
}

static int find_text_users(void *arg, const char *module, const char *const *texts, int ntexts,
                           struct code_range *ret, int max)
{
    return process_text_users(arg, module, texts, ntexts, ret, max);
}

static int count_code(const struct process *p)
{
    int n = 0;
    for (int i = 0; i < p->maps.n; i++)
        n += p->maps.list[i].exec && p->maps.list[i].inode;
    return n;
}

static bool is_attached(const struct walkers *w, const struct lang *lang)
{
    for (int i = 0; i < w->n; i++)
        if (w->list[i].lang == lang)
            return true;
    return false;
}

// false: what the process holds could not be read in time (a busy machine), so nothing was learnt.
static bool try_lang(struct walkers *w, const struct lang *lang, struct mem *m)
{
    char note[160] = "", version[32] = "";
    void *self = lang->attach(&w->seen, m, note, version);
    if (!self && mem_spent(m))
        return false;
    if (*note)
        memcpy(w->note, note, sizeof(note));
    if (*version && !*w->version)
        memcpy(w->version, version, sizeof(version));
    if (self)
        w->list[w->n++] = (struct attached){lang, self};
    return true;
}

void walkers_refresh(struct process *p)
{
    struct walkers *w = p->walkers;
    if (!w) {
        w = p->walkers = calloc(1, sizeof(*w));
        if (!w)
            return;
        w->seen = (struct lang_process){p->pid,       p,         find_symbol,    find_section,
                                        find_mapping, find_text, find_text_users};
        w->code_mappings = -1;
    }
    int code = count_code(p);
    if (code != w->code_mappings)
        w->tries = MAX_TRIES;
    else if (!w->tries)
        return;
    w->code_mappings = code;
    w->tries--;
    bool done = true;
    for (int i = 0; all_langs[i] && w->n < MAX_LANGS; i++)
        done &= is_attached(w, all_langs[i]) || try_lang(w, all_langs[i], p->mem);
    if (done)
        w->tries = 0;
}

void walkers_free(struct walkers *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->n; i++)
        w->list[i].lang->detach(w->list[i].self);
    free(w);
}

int walkers_count(const struct walkers *w)
{
    return w ? w->n : 0;
}

const struct lang *walkers_lang(const struct walkers *w, int i, void **self)
{
    *self = w->list[i].self;
    return w->list[i].lang;
}

const char *walkers_note(const struct walkers *w)
{
    return w ? w->note : "";
}

const char *walkers_version(const struct walkers *w)
{
    return w ? w->version : "";
}
