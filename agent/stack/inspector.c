#include "inspector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "answer.h"
#include "cache.h"
#include "identify.h"
#include "lock_name.h"
#include "merge.h"
#include "process.h"
#include "unwind.h"
#include "walkers.h"

// Bounds of one walk. The usual stack takes 20 pages and half a millisecond; a cold one 50 ms.
#define WALK_PAGES   8192
#define WALK_NS      400000000ll
#define TASKS_PAGES  1000000
#define TASKS_NS     5000000000ll
#define SETUP_PAGES  65536
#define SETUP_NS     2000000000ll
#define MAPS_AGE_NS  2000000000ll
#define YOUNG_AGE_NS 50000000ll

struct entry {
    int pid;
    struct process *process;
    UT_hash_handle hh;
};

struct inspector {
    struct opener opener;
    struct memory memory;
    struct module_cache *cache;
    struct entry *processes;
    struct unwound unwound; // scratch: too big for a stack frame
};

struct inspector *inspector_new(const struct opener *opener)
{
    struct inspector *i = calloc(1, sizeof(*i));
    if (!i)
        return NULL;
    i->opener = *opener;
    i->cache = module_cache_new();
    if (!i->cache || memory_open(&i->memory) < 0) {
        module_cache_free(i->cache);
        free(i);
        return NULL;
    }
    return i;
}

static void drop(struct inspector *i, struct entry *e)
{
    HASH_DEL(i->processes, e);
    process_free(e->process);
    free(e);
}

void inspector_free(struct inspector *i)
{
    if (!i)
        return;
    while (i->processes)
        drop(i, i->processes); // NOLINT(clang-analyzer-unix.Malloc): HASH_DEL moves it on
    memory_close(&i->memory);
    module_cache_free(i->cache);
    free(i);
}

void inspector_remove(struct inspector *i, int pid)
{
    struct entry *e;
    HASH_FIND_INT(i->processes, &pid, e);
    if (!e)
        return;
    drop(i, e);
    module_cache_trim(i->cache);
}

int inspector_add(struct inspector *i, int pid, const struct process_files *files)
{
    inspector_remove(i, pid);
    struct entry *e = calloc(1, sizeof(*e));
    struct process *p = process_new(pid, files, &i->memory, i->cache, &i->opener);
    if (!e || !p) {
        free(e);
        process_free(p);
        return -ENOMEM;
    }
    e->pid = pid;
    e->process = p;
    HASH_ADD_INT(i->processes, pid, e);
    return 0;
}

struct process *inspector_process(struct inspector *i, int pid)
{
    struct entry *e;
    HASH_FIND_INT(i->processes, &pid, e);
    return e ? e->process : NULL;
}

static void begin(struct process *p, uint64_t pages, int64_t ns)
{
    process_begin(p, 0, NULL, 0, pages, ns);
}

void inspector_preload(struct inspector *i, int pid, struct writer *ret)
{
    struct process *p = inspector_process(i, pid);
    int err = p ? process_refresh(p) : -ESRCH;
    if (!err) {
        begin(p, SETUP_PAGES, SETUP_NS);
        process_preload(p);
        begin(p, SETUP_PAGES, SETUP_NS); // opening took its time from a bound of its own
        walkers_refresh(p);
    }
    put_u32(ret, (uint32_t)err);
}

struct language_part {
    int n, cap;
    struct lang_frame *frames;
};

static void take_language(struct language_part *to, const struct lang_result *r, int nnative,
                          struct arena *a)
{
    if (r->nframes <= 0)
        return;
    struct lang_frame *all = arena_alloc(a, (size_t)(to->n + r->nframes) * sizeof(*all));
    int n = 0, i = 0, k = 0;
    while (i < to->n || k < r->nframes) { // both are sorted
        bool mine = k == r->nframes || (i < to->n && to->frames[i].at <= r->frames[k].at);
        struct lang_frame f = mine ? to->frames[i++] : r->frames[k++];
        if (f.at >= 0 && f.at < nnative)
            all[n++] = f;
    }
    to->frames = all;
    to->n = n;
}

static void ask_walkers(struct process *p, const struct stack_request *request,
                        const struct native_frame *native, int n, struct arena *a,
                        struct language_part *part, struct stack_facts *facts)
{
    for (int i = 0; i < walkers_count(p->walkers); i++) {
        struct lang_result r = {0};
        void *self;
        const struct lang *lang = walkers_lang(p->walkers, i, &self);
        if (lang->take)
            lang->take(self, request->taken, request->ntaken);
        lang->walk(self, p->mem, request->tid, native, n, &r);
        take_language(part, &r, n, a);
        facts->torn |= r.torn;
        facts->gc |= r.gc;
        if (r.lock) {
            facts->lock = r.lock;
            facts->holder = r.holder;
        }
        if (r.place.thread)
            facts->place = r.place;
        if (r.task.id)
            facts->task = r.task;
    }
}

static void prepare(struct process *p, bool plain)
{
    if (p->maps_read_ns == 0) { // a first request, without a preload before it
        process_refresh(p);
        begin(p, SETUP_PAGES, SETUP_NS);
        process_preload(p);
    }
    process_refresh_if_older(p, MAPS_AGE_NS);
    if (!plain) {
        begin(p, SETUP_PAGES, SETUP_NS);
        walkers_refresh(p);
    }
}

// A code address that no mapping holds: something was mapped since the mappings were read.
static void unwind_fresh(struct process *p, const struct stack_request *r, struct unwound *u)
{
    unwind(p, &r->regs, u);
    if (u->complete)
        return;
    process_refresh(p);
    unwind(p, &r->regs, u);
}

static void look(struct inspector *i, struct process *p, const struct stack_request *r, bool plain,
                 struct writer *ret)
{
    struct arena *a = arena_new();
    struct stack_facts facts = {0};
    struct language_part part = {0};
    struct merged merged;
    process_begin(p, r->stack_base, r->stack, r->stack_len, WALK_PAGES, WALK_NS);
    unwind_fresh(p, r, &i->unwound);
    struct native_frame *native = name_frames(p, a, &i->unwound);
    if (!plain)
        ask_walkers(p, r, native, i->unwound.n, a, &part, &facts);
    if (!facts.lock)
        facts.lock = lock_name(native, i->unwound.n);
    merge(&(struct merge_input){.process = p,
                                .arena = a,
                                .unwound = &i->unwound,
                                .native = native,
                                .nlang = part.n,
                                .lang = part.frames,
                                .keep_native = r->native,
                                .lines = !plain},
          &merged);
    facts.torn |= !merged.to_main;
    facts.in_language = merged.in_language;
    facts.live_reads = mem_went_live(p->mem);
    facts.why_not = merged.to_main ? NULL : i->unwound.why_not;
    put_stack(ret, &merged, &facts);
    arena_free(a);
}

void inspector_stack(struct inspector *i, const struct stack_request *r, bool plain,
                     struct writer *ret)
{
    struct process *p = inspector_process(i, r->pid);
    const char *why_not = p ? p->why_not : "the process is not known";
    if (!why_not) {
        prepare(p, plain);
        why_not = p->why_not;
    }
    if (why_not)
        put_no_stack(ret, why_not);
    else
        look(i, p, r, plain, ret);
}

void inspector_identify(struct inspector *i, int pid, struct writer *ret)
{
    struct process *p = inspector_process(i, pid);
    struct identity id = {.uv_backend_fd = -1};
    bool first = p && p->maps_read_ns == 0;
    if (p) // a young process has loaded more since it was looked at last
        process_refresh_if_older(p, YOUNG_AGE_NS);
    bool known = p && p->maps_read_ns;
    put_u32(ret, known);
    if (!known)
        return;
    begin(p, SETUP_PAGES, SETUP_NS);
    if (first) {
        process_preload(p);
        begin(p, SETUP_PAGES, SETUP_NS);
    }
    walkers_refresh(p);
    identify(p, &id);
    put_identity(ret, &id);
}

void inspector_tasks(struct inspector *i, const struct tasks_body *b, struct writer *ret)
{
    struct process *p = inspector_process(i, b->pid);
    struct tasks_answer t = {.why_not = "the process runs no asyncio that can be read"};
    if (p && p->maps_read_ns == 0)
        process_refresh(p);
    if (p) {
        begin(p, SETUP_PAGES, SETUP_NS);
        walkers_refresh(p);
    }
    for (int k = 0; p && k < walkers_count(p->walkers); k++) {
        void *self;
        const struct lang *lang = walkers_lang(p->walkers, k, &self);
        if (!lang->tasks)
            continue;
        t = (struct tasks_answer){0};
        begin(p, TASKS_PAGES, TASKS_NS);
        lang->tasks(self, p->mem, b->gc_walk, b->max_rows, &t);
        break;
    }
    put_tasks(ret, &t);
}
