#include "fd_track_internal.h"

#include <bpf/bpf.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "privilege.h"

#define DESCRIPTORS_MIN 4096
#define DESCRIPTORS_MAX (1 << 20)
#define NEAR            4096 // bytes between two mappings that count as one
#define TOP_NATIVE      128  // words of stack that make a key
#define TOP_JIT         512  // where frames of the engine lie between
#define TOLD_TRIES      100

struct ranges {
    uint64_t from[LS_FD_RANGES], to[LS_FD_RANGES];
    int n, njit;
};

static void add_range(struct ranges *r, uint64_t from, uint64_t to)
{
    if (r->n && from >= r->from[r->n - 1] && from - r->to[r->n - 1] <= NEAR) {
        r->to[r->n - 1] = to;
        return;
    }
    if (r->n == LS_FD_RANGES)
        return;
    r->from[r->n] = from;
    r->to[r->n++] = to;
}

// The C library's addresses are on every stack and tell nothing.
static bool tells_nothing(const char *path)
{
    const char *name = strrchr(path, '/');
    return name && (strncmp(name, "/libc.so", 8) == 0 || strncmp(name, "/libc-", 6) == 0 ||
                    strncmp(name, "/ld-", 4) == 0 || strncmp(name, "/libm.", 6) == 0);
}

// One pass for generated code, one for the files'.
static void scan_maps(int pid, struct ranges *r, bool jit)
{
    char path[64], line[512], name[300];
    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    while (fgets(line, sizeof(line), f)) {
        unsigned long long from, to;
        char mode[8];
        name[0] = '\0';
        if (sscanf(line, "%llx-%llx %7s %*s %*s %*s %299s", &from, &to, mode, name) < 3 ||
            mode[2] != 'x' || name[0] == '[')
            continue;
        if ((name[0] != '/') == jit && !tells_nothing(name))
            add_range(r, from, to);
    }
    fclose(f);
}

static void set_ranges(struct fd_track *t)
{
    struct ranges r = {0};
    uint64_t from = UINT64_MAX, to = 0;
    scan_maps(t->pid, &r, true);
    r.njit = r.n;
    scan_maps(t->pid, &r, false);
    for (int i = 0; i < r.n; i++) {
        t->skel->bss->code_from[i] = r.from[i];
        t->skel->bss->code_size[i] = r.to[i] - r.from[i];
        from = r.from[i] < from ? r.from[i] : from;
        to = r.to[i] > to ? r.to[i] : to;
    }
    t->skel->bss->all_from = from;
    t->skel->bss->all_size = r.n ? to - from : 0;
    t->skel->bss->njit = (unsigned int)r.njit;
    t->skel->data->top_words = r.njit ? TOP_JIT : TOP_NATIVE;
}

static bool is_fexit(const struct bpf_program *prog)
{
    return strncmp(bpf_program__section_name(prog), "?fexit/", 7) == 0 ||
           strncmp(bpf_program__section_name(prog), "fexit/", 6) == 0;
}

static void choose_source(struct fd_track *t)
{
    struct bpf_program *prog;
    bool fexit = t->source == FD_TRACK_FEXIT;
    bpf_object__for_each_program(prog, t->skel->obj) if (is_fexit(prog))
        bpf_program__set_autoload(prog, fexit);
    bpf_program__set_autoload(t->skel->progs.on_return, !fexit);
    bpf_program__set_autoload(t->skel->progs.on_handle_init, t->handles);
    bpf_program__set_autoload(t->skel->progs.on_handle_close, t->handles);
}

static int try_load(struct fd_track *t, bool uring)
{
    t->skel = fd_track_bpf__open();
    if (!t->skel)
        return -errno;
    t->skel->rodata->target = (unsigned int)t->pid;
    t->skel->rodata->descriptors = (unsigned int)t->descriptors;
    bpf_map__set_max_entries(t->skel->maps.slots, (unsigned int)t->descriptors);
    bpf_map__set_max_entries(t->skel->maps.used, (unsigned int)t->descriptors / 64);
    bpf_program__set_autoload(t->skel->progs.on_uring, uring);
    choose_source(t);
    int e = fd_track_bpf__load(t->skel);
    if (e) {
        fd_track_bpf__destroy(t->skel);
        t->skel = NULL;
    }
    return e;
}

static int map(void **ret, size_t *size, const struct bpf_map *map, size_t element, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *size = (element * n + page - 1) & ~(page - 1);
    void *mem = mmap(NULL, *size, PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);
    if (mem == MAP_FAILED)
        return -errno;
    *ret = mem;
    return 0;
}

static int attach(struct fd_track *t)
{
    struct bpf_program *prog;
    bpf_object__for_each_program(prog, t->skel->obj)
    {
        if (!bpf_program__autoload(prog) || prog == t->skel->progs.baseline ||
            prog == t->skel->progs.on_handle_init || prog == t->skel->progs.on_handle_close)
            continue;
        if (t->nlinks == FD_TRACK_LINKS)
            return -E2BIG;
        struct bpf_link *link = bpf_program__attach(prog);
        if (!link)
            return -errno;
        t->links[t->nlinks++] = link;
    }
    return 0;
}

// After the tracepoints are there, so that nothing falls between.
static int run_baseline(struct fd_track *t)
{
    char unused[64];
    union bpf_iter_link_info info = {.task.tid = (unsigned int)t->pid};
    DECLARE_LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info,
                        .link_info_len = sizeof(info));
    struct bpf_link *link = bpf_program__attach_iter(t->skel->progs.baseline, &opts);
    if (!link && errno != ESRCH)
        link = bpf_program__attach_iter(t->skel->progs.baseline, NULL);
    if (!link)
        return -errno;
    int iter = bpf_iter_create(bpf_link__fd(link)), e = iter < 0 ? -errno : 0;
    while (!e && (read(iter, unused, sizeof(unused)) > 0 || errno == EAGAIN))
        errno = 0;
    if (iter >= 0)
        close(iter);
    bpf_link__destroy(link);
    return e;
}

static int on_opening(void *arg, void *data, size_t size)
{
    struct fd_track *t = arg;
    const struct ls_fd_opening *r = data;
    if (size < sizeof(*r) || r->stack_len > size - sizeof(*r))
        return 0;
    struct fd_opening o = {
        .key = r->key,
        .tid = (int)r->tid,
        .fd = (int)r->fd,
        .syscall = r->nr,
        .stack = (const uint8_t *)(r + 1),
        .stack_len = r->stack_len,
        .nframes = r->nframes <= LS_FD_FRAMES ? (int)r->nframes : 0,
        .frames = r->frames,
    };
    memcpy(&o.regs, r->regs, sizeof(r->regs));
    t->cb(t->arg, &o);
    return 0;
}

static int load(struct fd_track *t)
{
    int e = try_load(t, true);
    if (e && e != -EPERM)
        e = try_load(t, false); // a kernel without io_uring
    if (e)
        return e;
    set_ranges(t);
    e = map((void **)&t->slots, &t->slots_size, t->skel->maps.slots, sizeof(*t->slots),
            (size_t)t->descriptors);
    if (!e)
        e = map((void **)&t->counts, &t->counts_size, t->skel->maps.counts, sizeof(*t->counts),
                LS_FD_KEYS);
    if (e)
        return e;
    t->ring = ring_buffer__new(bpf_map__fd(t->skel->maps.openings), on_opening, t, NULL);
    if (!t->ring)
        return -errno;
    e = attach(t);
    if (!e)
        e = run_baseline(t);
    t->skel->bss->mended = 0;
    t->handles = !e && t->handles && fd_handles_attach(t, t->pid) == 0;
    return e;
}

static void unload(struct fd_track *t)
{
    while (t->nlinks)
        bpf_link__destroy(t->links[--t->nlinks]);
    if (t->ring)
        ring_buffer__free(t->ring);
    if (t->slots)
        munmap(t->slots, t->slots_size);
    if (t->counts)
        munmap(t->counts, t->counts_size);
    if (t->skel)
        fd_track_bpf__destroy(t->skel);
    t->ring = NULL;
    t->slots = NULL;
    t->counts = NULL;
    t->skel = NULL;
}

// The best source that loads: there are kernels with all of BTF that refuse fexit.
static int load_best(struct fd_track *t, const struct fd_track_config *config)
{
    t->source = config->source == FD_TRACK_BEST ? FD_TRACK_FEXIT : config->source;
    t->handles = config->handles;
    int e = load(t);
    if (!e || config->source != FD_TRACK_BEST)
        return e;
    unload(t);
    t->source = FD_TRACK_TRACEPOINT;
    t->handles = config->handles;
    return load(t);
}

void fd_track_tell(struct fd_track *t, fd_opening_cb cb, void *arg)
{
    t->cb = cb;
    t->arg = arg;
}

int fd_track_open(struct fd_track **ret, const struct fd_track_config *config, fd_opening_cb cb,
                  void *arg, struct error *err)
{
    int e = privilege_check_pids(err);
    if (e)
        return e;
    struct fd_track *t = calloc(1, sizeof(*t));
    if (!t)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    fd_track_tell(t, cb, arg);
    t->pid = config->pid;
    t->descriptors = DESCRIPTORS_MIN;
    while (t->descriptors < config->descriptors && t->descriptors < DESCRIPTORS_MAX)
        t->descriptors *= 2;
    e = load_best(t, config);
    if (e) {
        fd_track_close(t);
        return privilege_explain(err, -e, "cannot follow who opens descriptors");
    }
    *ret = t;
    return 0;
}

enum fd_track_source fd_track_in_use(const struct fd_track *t)
{
    return t->source;
}

const char *fd_track_source(const struct fd_track *t)
{
    return t->source == FD_TRACK_FEXIT ? "fexit" : "sys_exit";
}

void fd_track_tasks(struct fd_track *t, int tid, const struct ls_fd_tasks *tasks)
{
    unsigned int key = (unsigned int)tid;
    bpf_map__update_elem(t->skel->maps.loops, &key, sizeof(key), tasks, sizeof(*tasks), BPF_ANY);
}

void fd_track_frames(struct fd_track *t, int tid, uint64_t thread, const struct ls_fd_place *place)
{
    unsigned int key = (unsigned int)tid;
    t->skel->bss->place = *place;
    t->skel->bss->place.known = 1;
    bpf_map__update_elem(t->skel->maps.threads, &key, sizeof(key), &thread, sizeof(thread),
                         BPF_ANY);
}

void fd_track_close(struct fd_track *t)
{
    if (!t)
        return;
    unload(t);
    free(t);
}

int fd_track_fd(struct fd_track *t)
{
    return ring_buffer__epoll_fd(t->ring);
}

void fd_track_dispatch(struct fd_track *t)
{
    ring_buffer__consume(t->ring);
}

int fd_track_highest(struct fd_track *t)
{
    return t->descriptors;
}

static bool valid(const struct fd_track *t, int fd)
{
    return fd >= 0 && fd < t->descriptors;
}

bool fd_track_is_open(struct fd_track *t, int fd)
{
    return valid(t, fd) && __atomic_load_n(&t->slots[fd].word, __ATOMIC_ACQUIRE) != 0;
}

// The word comes first and what belongs to it some ten instructions later.
static bool is_told(const struct ls_fd_slot *s, uint64_t word)
{
    for (int i = 0; i < TOLD_TRIES; i++)
        if (__atomic_load_n(&s->told, __ATOMIC_ACQUIRE) == word)
            return true;
    return false; // two threads wrote at once: whose it is, is not known
}

bool fd_track_slot(struct fd_track *t, int fd, uint64_t file, struct fd_slot *ret)
{
    const uint64_t mask = (1ULL << LS_FD_KEY_SHIFT) - 1;
    if (!valid(t, fd))
        return false;
    const struct ls_fd_slot *s = &t->slots[fd];
    uint64_t word = __atomic_load_n(&s->word, __ATOMIC_ACQUIRE);
    if (!word || (word & mask) != (file & mask))
        return false;
    bool told = is_told(s, word);
    *ret = (struct fd_slot){.key = (unsigned int)(word >> LS_FD_KEY_SHIFT),
                            .opened_ns = (int64_t)__atomic_load_n(&s->opened_ns, __ATOMIC_RELAXED),
                            .tid = (int)__atomic_load_n(&s->tid, __ATOMIC_RELAXED)};
    if (told) {
        ret->task = __atomic_load_n(&s->task, __ATOMIC_RELAXED);
        ret->site = __atomic_load_n(&s->site, __ATOMIC_RELAXED);
    }
    return __atomic_load_n(&s->word, __ATOMIC_ACQUIRE) == word;
}

bool fd_track_counts(struct fd_track *t, unsigned int key, uint64_t *opened, uint64_t *closed)
{
    if (key >= LS_FD_KEYS)
        return false;
    *closed = __atomic_load_n(&t->counts[key].closed, __ATOMIC_RELAXED);
    *opened = __atomic_load_n(&t->counts[key].opened, __ATOMIC_RELAXED);
    return true;
}

uint64_t fd_track_lost(struct fd_track *t)
{
    return __atomic_load_n(&t->skel->bss->lost_stacks, __ATOMIC_RELAXED);
}

// Events of all processes, and slots that did not come to rest.
static uint64_t passed_over(struct fd_track *t)
{
    uint64_t n = __atomic_load_n(&t->skel->bss->unstable, __ATOMIC_RELAXED);
    struct bpf_program *prog;
    bpf_object__for_each_program(prog, t->skel->obj)
    {
        struct bpf_prog_info info = {0};
        unsigned int size = sizeof(info);
        int fd = bpf_program__fd(prog);
        if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
            n += info.recursion_misses;
    }
    return n;
}

uint64_t fd_track_settle(struct fd_track *t)
{
    uint64_t n = passed_over(t);
    if (n != t->passed_over) {
        t->passed_over = n;
        t->skel->bss->compare_use = 1;
        run_baseline(t);
    }
    return __atomic_load_n(&t->skel->bss->mended, __ATOMIC_RELAXED);
}
