// The language walkers on damaged memory: no crash, no endless walk.
//
// At the start two Python and two Node processes are stalled on this machine (the second Node may be
// another one, LOOPSCOPE_FUZZ_NODE: a stripped one is read in other ways); what the walkers read of
// them is recorded (pages, symbols, mappings, native frames) and the processes are ended. Each
// input then is a list of damages to those pages: words overwritten, pages shifted, filled at
// random or exchanged, memory that does not exist invented. Walkers attach to and walk the damaged
// process as they would a live one.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../unit/lang/live.h"

#define MAX_PAGES   8192
#define MAX_ANSWERS 512
#define MAX_FRAMES  256
#define BUDGET      4000
#define WALK_NS     200000000ll
#define ENDLESS_NS  4000000000ll

struct page {
    uint64_t address;
    uint8_t bytes[MEM_PAGE];
};

struct answer { // of symbol() and section()
    char module[32], name[160];
    uint64_t address, size;
};

struct range {
    uint64_t start, end;
    bool exec, anonymous;
};

struct recording { // of one process
    const struct lang *lang;
    int tid, fd;
    const struct lang_process *live;
    struct page *pages;
    int npages;
    struct answer answers[MAX_ANSWERS];
    int nanswers;
    struct range ranges[MAX_ANSWERS];
    int nranges;
    struct native_frame frames[MAX_FRAMES];
    int nframes;
    struct sample sample;
};

static struct recording recordings[4];

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static int by_address(const void *a, const void *b)
{
    uint64_t x = ((const struct page *)a)->address, y = ((const struct page *)b)->address;
    return x < y ? -1 : x > y;
}

static struct page *find_page(const struct recording *r, uint64_t address)
{
    struct page key = {.address = address};
    if (!r->live) // sorted by then
        return bsearch(&key, r->pages, (size_t)r->npages, sizeof key, by_address);
    for (int i = 0; i < r->npages; i++)
        if (r->pages[i].address == address)
            return &r->pages[i];
    return NULL;
}

static bool record_fetch(void *arg, uint64_t address, void *buf, size_t n)
{
    struct recording *r = arg;
    if (pread(r->fd, buf, n, (off_t)address) != (ssize_t)n)
        return false;
    for (size_t at = 0; at < n; at += MEM_PAGE) {
        if (r->npages == MAX_PAGES || find_page(r, address + at))
            continue;
        struct page *p = &r->pages[r->npages++];
        p->address = address + at;
        memcpy(p->bytes, (uint8_t *)buf + at, MEM_PAGE);
    }
    return true;
}

static struct answer *find_answer(struct recording *r, const char *module, const char *name)
{
    for (int i = 0; i < r->nanswers; i++)
        if (!strcmp(r->answers[i].module, module ? module : "") &&
            !strcmp(r->answers[i].name, name))
            return &r->answers[i];
    return NULL;
}

static struct answer *new_answer(struct recording *r, const char *module, const char *name)
{
    struct answer *a = &r->answers[r->nanswers < MAX_ANSWERS ? r->nanswers++ : MAX_ANSWERS - 1];
    snprintf(a->module, sizeof a->module, "%s", module ? module : "");
    snprintf(a->name, sizeof a->name, "%s", name);
    return a;
}

static uint64_t symbol(void *arg, const char *module, const char *name)
{
    struct recording *r = arg;
    struct answer *a = find_answer(r, module, name);
    if (!a && r->live) {
        a = new_answer(r, module, name);
        a->address = r->live->symbol(r->live->arg, module, name);
    }
    return a ? a->address : 0;
}

static uint64_t section(void *arg, const char *module, const char *name, uint64_t *size)
{
    struct recording *r = arg;
    struct answer *a = find_answer(r, module, name);
    *size = 0;
    if (!a && r->live) {
        a = new_answer(r, module, name);
        a->address = r->live->section(r->live->arg, module, name, &a->size);
    }
    if (a)
        *size = a->size;
    return a ? a->address : 0;
}

static bool mapping(void *arg, uint64_t address, uint64_t *start, uint64_t *end, bool *exec,
                    const char **path)
{
    struct recording *r = arg;
    for (int i = 0; i < r->nranges; i++) {
        struct range *g = &r->ranges[i];
        if (address < g->start || address >= g->end)
            continue;
        *start = g->start;
        *end = g->end;
        *exec = g->exec;
        *path = g->anonymous ? NULL : "/usr/bin/python3.11";
        return true;
    }
    if (!r->live || r->nranges == MAX_ANSWERS ||
        !r->live->mapping(r->live->arg, address, start, end, exec, path))
        return false;
    r->ranges[r->nranges++] = (struct range){*start, *end, *exec, !*path};
    return true;
}

static uint64_t text(void *arg, const char *module, const char *text)
{
    struct recording *r = arg;
    struct answer *a = find_answer(r, module, text);
    if (!a && r->live) {
        a = new_answer(r, module, text);
        a->address = r->live->text(r->live->arg, module, text);
    }
    return a ? a->address : 0;
}

// Of an answer here address and size are those of the first function; one is enough.
static int text_users(void *arg, const char *module, const char *const *texts, int ntexts,
                      struct code_range *ret, int max)
{
    struct recording *r = arg;
    struct answer *a = find_answer(r, module, texts[0]);
    if (!a && r->live) {
        a = new_answer(r, module, texts[0]);
        if (r->live->text_users(r->live->arg, module, texts, ntexts, ret, 1))
            a->address = ret->start, a->size = ret->end - ret->start;
    }
    if (!a || !a->address || max < 1)
        return 0;
    *ret = (struct code_range){a->address, a->address + a->size};
    return 1;
}

static void begin(struct mem *m, const struct sample *s, int64_t ns)
{
    mem_begin(m, s->stack_base, s->stack, s->stack_len, BUDGET, now_ns() + ns);
}

struct damaged { // one input's view of a recording
    const struct recording *r;
    const uint8_t *damages;
    size_t n;
    uint64_t seed;
    bool whole;  // no damage for now
    bool invent; // memory that was not recorded is there, with random contents
};

// damaged: attach to whole memory first, then walk what is left of it; NULL: the same memory throughout.
static void walk_all(struct recording *r, struct mem *m, struct damaged *damaged, bool gc_walk,
                     int64_t ns)
{
    struct lang_process p = {r->tid, r, symbol, section, mapping, text, text_users};
    char note[160] = "", version[32] = "";
    begin(m, &r->sample, ns);
    if (damaged)
        damaged->whole = true;
    void *self = r->lang->attach(&p, m, note, version);
    if (damaged)
        damaged->whole = false;
    if (!self)
        return;
    for (int i = 0; i < 2; i++) { // the second time with what the first one cached
        struct lang_result result;
        begin(m, &r->sample, ns);
        r->lang->walk(self, m, r->tid, r->frames, r->nframes, &result);
        size_t seen = 0;
        for (int k = 0; k < result.nframes; k++) {
            const struct frame *f = &result.frames[k].frame;
            seen += strlen(f->function ? f->function : "") + strlen(f->file ? f->file : "");
        }
        if (seen > 1 << 20)
            abort();
    }
    if (r->lang->tasks) {
        struct tasks_answer answer;
        begin(m, &r->sample, ns);
        r->lang->tasks(self, m, gc_walk, 100, &answer);
    }
    r->lang->detach(self);
}

static void copy_frames(struct recording *r, const struct live *l)
{
    for (int i = 0; i < l->nframes && i < MAX_FRAMES; i++) {
        struct native_frame *f = &r->frames[r->nframes++];
        *f = l->frames[i];
        f->symbol = f->symbol ? strdup(f->symbol) : NULL;
        f->module = f->module ? strdup(f->module) : NULL;
    }
}

static void record(struct recording *r, const char *const argv[], const char *lang)
{
    struct live *l = calloc(1, sizeof *l);
    char path[64];
    if (!live_start(l, argv) || !live_attach(l, lang) || !live_stall(l)) {
        fprintf(stderr, "fuzz_lang: %s cannot be recorded here\n", argv[0]);
        exit(77);
    }
    snprintf(path, sizeof path, "/proc/%d/mem", l->pid);
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    r->lang = l->lang;
    r->tid = l->pid;
    r->live = native_process(l->native);
    r->pages = calloc(MAX_PAGES, sizeof *r->pages);
    r->sample = l->sample;
    copy_frames(r, l);
    struct mem *m = mem_new(record_fetch, r);
    walk_all(r, m, NULL, true, 5000000000ll);
    mem_free(m);
    close(r->fd);
    r->live = NULL;
    qsort(r->pages, (size_t)r->npages, sizeof *r->pages, by_address);
    fprintf(stderr, "fuzz_lang: %s: %d pages, %d native frames, %d answers\n", lang, r->npages,
            r->nframes, r->nanswers);
    live_stop(l);
    free(l);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const char *python[] = {"/usr/bin/python3", STALLS_PY, "task", NULL};
    const char *waiting[] = {"/usr/bin/python3", STALLS_PY, "gil", NULL};
    const char *node[] = {"node", STALLS_JS, "optimised", NULL};
    const char *other = getenv("LOOPSCOPE_FUZZ_NODE");
    const char *parsing[] = {other ? other : "node", STALLS_JS, "json", NULL};
    record(&recordings[0], python, "CPython");
    record(&recordings[1], node, "V8");
    record(&recordings[2], waiting, "CPython");
    record(&recordings[3], parsing, "V8");
    return 0;
}

enum { DAMAGE_BYTES = 14 };

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void fill_random(uint8_t *bytes, uint64_t seed)
{
    seed |= 1;
    for (int i = 0; i < (int)MEM_PAGE; i += 8) {
        uint64_t v = next_random(&seed);
        memcpy(bytes + i, &v, 8);
    }
}

// page (2 bytes), what (1), where (2), value (8), spare (1)
static void damage(const struct damaged *d, const uint8_t *how, int page, uint8_t *bytes)
{
    uint16_t which, at;
    uint64_t value;
    memcpy(&which, how, 2);
    memcpy(&at, how + 3, 2);
    memcpy(&value, how + 5, 8);
    if (which % d->r->npages != page)
        return;
    at %= MEM_PAGE - 8;
    const struct page *other = &d->r->pages[value % (uint64_t)d->r->npages];
    uint64_t pointer = other->address + (value >> 32) % MEM_PAGE;
    switch (how[2] % 8) {
    case 0: memcpy(bytes + at, &value, 8); break;
    case 1: memcpy(bytes + (at & ~7), &value, 4); break;
    case 2: memcpy(bytes + (at & ~7), &pointer, 8); break;
    case 3:
        pointer |= 1;
        memcpy(bytes + (at & ~7), &pointer, 8);
        break;
    case 4: memmove(bytes, bytes + at % 64, MEM_PAGE - 64); break;
    case 5: fill_random(bytes, value); break;
    case 6: memcpy(bytes, other->bytes, MEM_PAGE); break;
    case 7: memset(bytes + at, (int)value, value % 8); break;
    }
}

static bool damaged_fetch(void *arg, uint64_t address, void *buf, size_t n)
{
    const struct damaged *d = arg;
    for (size_t at = 0; at < n; at += MEM_PAGE) {
        uint8_t *bytes = (uint8_t *)buf + at;
        const struct page *p = find_page(d->r, address + at);
        if (!p && (!d->invent || d->whole))
            return false;
        if (!p) {
            fill_random(bytes, (address + at) ^ d->seed);
            continue;
        }
        memcpy(bytes, p->bytes, MEM_PAGE);
        for (size_t i = 0; !d->whole && i + DAMAGE_BYTES <= d->n; i += DAMAGE_BYTES)
            damage(d, d->damages + i, (int)(p - d->r->pages), bytes);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct recording *r = &recordings[(data[0] & 1) | (data[0] >> 3 & 2)];
    struct damaged d = {.r = r,
                        .damages = data + 2,
                        .n = size - 2,
                        .seed = data[1] * 0x9e3779b97f4a7c15ull,
                        .invent = data[0] & 2};
    struct mem *m = mem_new(damaged_fetch, &d);
    int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID); // the fuzzer itself may wait long for a CPU
    walk_all(r, m, data[0] & 8 ? &d : NULL, data[0] & 4, WALK_NS);
    if (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start > ENDLESS_NS)
        abort();
    mem_free(m);
    return 0;
}
