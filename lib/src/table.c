// See table.h. One memfd a process, sparse: of 256 MB only the pages that were used take memory.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct table ls__table = {.fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

static const struct ls_site lost_site = {"(table of sites is full)", "", NULL, 0, SITE_LOST};

struct layout {
    uint64_t loops, slots, sites, strings, rings, total;
};

static uint64_t page_up(uint64_t size)
{
    return (size + 4095) & ~4095ull;
}

static struct layout plan(void)
{
    struct layout l;
    l.loops = 4096;
    l.sites = l.loops + page_up(TABLE_LOOPS * sizeof(struct ls_abi_loop));
    l.strings = l.sites + page_up(TABLE_SITES * sizeof(struct ls_abi_site));
    l.slots = l.strings + page_up(TABLE_STRINGS);
    l.rings = l.slots + page_up((uint64_t)TABLE_SLOTS * sizeof(struct ls_abi_task));
    l.total = l.rings + page_up((uint64_t)TABLE_LOOPS * TABLE_RING * sizeof(struct ls_abi_event));
    return l;
}

static uint64_t own_start_time(void)
{
    char text[1024];
    unsigned long long start = 0;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    char *p = strrchr(text, ')'); // the name may hold anything; field 3 follows
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (!p || sscanf(p, " %llu", &start) != 1)
        return 0;
    return start;
}

static uint32_t own_arch(void)
{
#if defined(LS_UCONTEXT)
    return LS_ABI_ARCH_UCONTEXT;
#elif defined(__x86_64__)
    return LS_ABI_ARCH_X86_64;
#else
    return LS_ABI_ARCH_AARCH64;
#endif
}

// Writes the header of an empty table; the magic last.
static void write_header(struct ls_abi_header *h, const struct layout *l, int fd)
{
    h->version = LS_ABI_VERSION;
    h->header_size = sizeof(*h);
    h->pid = getpid();
    h->fd = fd;
    h->start_time = own_start_time();
    h->total_size = l->total;
    h->loops_offset = l->loops;
    h->loop_size = sizeof(struct ls_abi_loop);
    h->loops_capacity = TABLE_LOOPS;
    h->slots_offset = l->slots;
    h->slot_size = sizeof(struct ls_abi_task);
    h->slots_capacity = TABLE_SLOTS;
    h->sites_offset = l->sites;
    h->site_size = sizeof(struct ls_abi_site);
    h->sites_capacity = TABLE_SITES;
    h->strings_offset = l->strings;
    h->strings_capacity = TABLE_STRINGS;
    h->ring_records = TABLE_RING;
    h->rings_offset = l->rings;
    h->arch = own_arch();
    __atomic_store_n(&h->magic, LS_ABI_MAGIC, __ATOMIC_RELEASE);
}

// A sealed memfd of the size, mapped at `where` (NULL: anywhere). Negative errno, or the descriptor.
static int map_memfd(uint64_t size, void *where, void **ret)
{
    int fd = memfd_create(LS_ABI_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING), r;
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)size) < 0)
        goto fail;
    void *m = mmap(where, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_NORESERVE | (where ? MAP_FIXED : 0), fd, 0);
    if (m == MAP_FAILED)
        goto fail;
    // No seal against writing: kernels before 5.1 have none that spares our own mapping.
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    madvise(m, size, MADV_DONTFORK);
    madvise(m, size, MADV_DONTDUMP);
    *ret = m;
    return fd;
fail:
    r = -errno;
    close(fd);
    return r;
}

static void *reserve(size_t size)
{
    void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return m == MAP_FAILED ? NULL : m;
}

static void point_into(struct table *t, char *base, const struct layout *l)
{
    t->loops = (struct ls_abi_loop *)(base + l->loops);
    t->slots = (struct ls_abi_task *)(base + l->slots);
    t->sites = (struct ls_abi_site *)(base + l->sites);
    t->strings = base + l->strings;
    t->rings = (struct ls_abi_event *)(base + l->rings);
    t->header = (struct ls_abi_header *)base;
}

static void write_site(struct table *t, uint32_t id, const struct ls_site *site);
static void write_lost_site(struct table *t);

// A child of fork has none of the mapping. It gets a table of its own at the same address: the sites again, its loop and
// tasks by ls__loop_after_fork. Should that fail, plain memory takes its place, unseen but safe.
static void after_fork_in_child(void)
{
    struct table *t = &ls__table;
    struct layout l = plan();
    void *base = t->header, *m;
    if (!base)
        return;
    if (t->fd >= 0)
        close(t->fd);
    t->fd = map_memfd(l.total, base, &m);
    if (t->fd < 0) {
        m = mmap(base, l.total, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        if (m == MAP_FAILED)
            abort(); // every store into the table would crash later, without a word
    }
    pthread_mutex_init(&t->lock, NULL);
    memset(t->loop_taken, 0, sizeof(t->loop_taken));
    t->strings_used = 1;
    memset(t->wrong_names, 0, sizeof(t->wrong_names));
    write_lost_site(t);
    for (uint32_t id = SITE_LOST + 1; id < t->sites_used; id++)
        write_site(t, id, t->site_of[id]);
    ls__loop_after_fork();
    struct ls_abi_header *h = t->header;
    h->slots_used = t->slots_used;
    h->loops_used = t->loops_used;
    write_header(h, &l, t->fd);
}

static void open_once(void)
{
    struct table *t = &ls__table;
    struct layout l = plan();
    void *base;
    t->owners = reserve((size_t)TABLE_SLOTS * sizeof(*t->owners));
    t->site_of = reserve(TABLE_SITES * sizeof(*t->site_of));
    t->free_chunks = reserve(TABLE_SLOTS / TABLE_CHUNK * sizeof(*t->free_chunks));
    t->loop_of_chunk = malloc(TABLE_SLOTS / TABLE_CHUNK);
    if (!t->owners || !t->site_of || !t->free_chunks || !t->loop_of_chunk)
        return;
    memset(t->loop_of_chunk, LOOP_NONE, TABLE_SLOTS / TABLE_CHUNK);
    t->fd = map_memfd(l.total, NULL, &base);
    if (t->fd < 0) { // no memfd: the same layout in private memory keeps every writer simple
        base = reserve(l.total);
        if (!base)
            return;
    }
    point_into(t, base, &l);
    t->strings_used = 1; // offset 0 is ""
    t->sites_used = SITE_LOST + 1;
    write_lost_site(t);
    write_header(t->header, &l, t->fd);
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

int ls__table_open(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_once);
    return ls__table.header ? 0 : -ENOMEM;
}

int ls__table_take_loop(uint32_t *index)
{
    struct table *t = &ls__table;
    int r = -ENOSPC;
    pthread_mutex_lock(&t->lock);
    for (uint32_t i = 0; i < TABLE_LOOPS; i++) {
        if (t->loop_taken[i])
            continue;
        t->loop_taken[i] = true;
        if (i >= t->loops_used)
            t->loops_used = i + 1;
        __atomic_store_n(&t->header->loops_used, t->loops_used, __ATOMIC_RELEASE);
        *index = i;
        r = 0;
        break;
    }
    pthread_mutex_unlock(&t->lock);
    return r;
}

void ls__table_give_loop(uint32_t index)
{
    pthread_mutex_lock(&ls__table.lock);
    ls__table.loop_taken[index] = false;
    pthread_mutex_unlock(&ls__table.lock);
}

int ls__table_take_chunk(uint32_t loop, uint32_t *first)
{
    struct table *t = &ls__table;
    int r = 0;
    pthread_mutex_lock(&t->lock);
    if (t->nfree_chunks > 0) {
        *first = t->free_chunks[--t->nfree_chunks];
    } else if (t->slots_used + TABLE_CHUNK <= TABLE_SLOTS) {
        *first = t->slots_used;
        t->slots_used += TABLE_CHUNK;
        __atomic_store_n(&t->header->slots_used, t->slots_used, __ATOMIC_RELEASE);
    } else {
        r = -ENOMEM;
    }
    if (r == 0)
        t->loop_of_chunk[*first / TABLE_CHUNK] = (uint8_t)loop;
    pthread_mutex_unlock(&t->lock);
    return r;
}

void ls__table_give_chunk(uint32_t first)
{
    for (uint32_t i = 0; i < TABLE_CHUNK; i++)
        ls__table.owners[first + i].task = NULL; // its memory goes with the loop
    pthread_mutex_lock(&ls__table.lock);
    ls__table.loop_of_chunk[first / TABLE_CHUNK] = LOOP_NONE;
    ls__table.free_chunks[ls__table.nfree_chunks++] = first;
    pthread_mutex_unlock(&ls__table.lock);
}

void ls__table_set_guard(uint32_t guard)
{
    struct ls_abi_header *h = ls__table.header;
    pthread_mutex_lock(&ls__table.lock);
    if (guard > h->stack_guard)
        h->stack_guard = guard;
    pthread_mutex_unlock(&ls__table.lock);
}

void ls__table_set_stack_size(uint32_t size)
{
    struct ls_abi_header *h = ls__table.header;
    pthread_mutex_lock(&ls__table.lock);
    if (size > h->stack_size)
        h->stack_size = size;
    pthread_mutex_unlock(&ls__table.lock);
}

void ls__table_set_clock(uint64_t ticks_ref, int64_t ns, uint64_t mult)
{
    struct ls_abi_header *h = ls__table.header;
    if (pthread_mutex_trylock(&ls__table.lock) != 0)
        return; // another loop does it right now
    uint32_t seq = record_begin(&h->ticks_seq);
    h->ticks_ref = ticks_ref;
    h->ticks_ns = (uint64_t)ns;
    h->ticks_mult = mult;
    record_end(&h->ticks_seq, seq);
    pthread_mutex_unlock(&ls__table.lock);
}

bool ls__table_watched(void)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LS_ABI_WATCH_BYTE, .l_len = 1};
    return ls__table.fd >= 0 && fcntl(ls__table.fd, F_OFD_GETLK, &lock) == 0 &&
           lock.l_type != F_UNLCK;
}

// ---- sites ----

// Offset of a copy of the text; 0 ("") when it is empty or there is no room.
static uint32_t put_string(struct table *t, const char *text)
{
    size_t size = text ? strlen(text) + 1 : 1;
    if (size == 1 || size > TABLE_STRINGS - t->strings_used)
        return 0;
    uint32_t at = t->strings_used;
    memcpy(t->strings + at, text, size);
    t->strings_used += (uint32_t)size;
    return at;
}

static void write_site(struct table *t, uint32_t id, const struct ls_site *site)
{
    struct ls_abi_site *s = &t->sites[id];
    s->file = put_string(t, site->file);
    s->function = put_string(t, site->function);
    s->label = put_string(t, site->label);
    s->line = site->line;
    t->site_of[id] = site;
    __atomic_store_n(&t->header->strings_used, t->strings_used, __ATOMIC_RELEASE);
    __atomic_store_n(&t->header->sites_used, t->sites_used, __ATOMIC_RELEASE);
}

static void write_lost_site(struct table *t)
{
    write_site(t, SITE_LOST, &lost_site);
}

uint32_t ls__site_intern(struct ls_site *site)
{
    struct table *t = &ls__table;
    pthread_mutex_lock(&t->lock);
    uint32_t id =
        __atomic_load_n(&site->id, __ATOMIC_RELAXED); // another thread may have been faster
    if (id == 0 && t->sites_used < TABLE_SITES) {
        id = t->sites_used++;
        write_site(t, id, site);
    } else if (id == 0) {
        id = SITE_LOST;
        t->header->sites_lost++;
    }
    __atomic_store_n(&site->id, id, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&t->lock);
    return id;
}

// The names are few: as many as the library has functions.
static uint32_t name_offset(struct table *t, const char *name)
{
    size_t n = sizeof(t->wrong_names) / sizeof(t->wrong_names[0]);
    for (size_t i = 0; i < n; i++) {
        if (t->wrong_names[i].name == name)
            return t->wrong_names[i].offset;
        if (t->wrong_names[i].name)
            continue;
        t->wrong_names[i].name = name;
        t->wrong_names[i].offset = put_string(t, name);
        __atomic_store_n(&t->header->strings_used, t->strings_used, __ATOMIC_RELEASE);
        return t->wrong_names[i].offset;
    }
    return 0;
}

void ls__table_wrong_call(uint32_t loop, uint32_t site, const char *name)
{
    struct ls_abi_header *h = ls__table.header;
    pthread_mutex_lock(&ls__table.lock);
    uint32_t seq = record_begin(&h->wrong_seq);
    h->wrong_tid = gettid();
    h->wrong_calls++;
    h->wrong_ns = (uint64_t)clock_ns();
    h->wrong_name = name_offset(&ls__table, name);
    h->wrong_site = site;
    h->wrong_loop = loop;
    record_end(&h->wrong_seq, seq);
    pthread_mutex_unlock(&ls__table.lock);
}

const struct ls_site *ls__site(uint32_t id)
{
    return id == SITE_UNKNOWN || id >= TABLE_SITES ? NULL : ls__table.site_of[id];
}
