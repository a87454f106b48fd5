#include "mem.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../list.h"
#include "clock.h"

// How far above the copy an address still counts as this thread's stack (the usual RLIMIT_STACK).
#define STACK_REACH (8u << 20)
#define RUN_PAGES   64 // the longest single fetch
#define CLOCK_READS 8192
#define RECENT      256
#define AHEAD_PAGES 16
#define GAP_PAGES   1 // pages not asked for that a run may bridge: cheaper than a second system call
#define SLAB_PAGES  256
#define KEEP_SLABS  1 // kept across walks, so that the usual walk allocates nothing
#define USER_END    (1ull << 47)

struct page {
    uint64_t number; // address / MEM_PAGE; 0 marks a free slot (page 0 is never mapped)
    uint8_t *bytes;  // NULL: the process refused
};

struct run { // pages that came in one fetch, to be fetched again at one blow
    uint64_t first;
    size_t n;
    uint8_t *bytes;
};

struct mem {
    mem_fetch fetch;
    void *arg;
    uint64_t stack_base;
    const uint8_t *stack;
    size_t stack_len;
    uint64_t pages, max_pages;
    int64_t deadline_ns;
    bool spent, went_live;
    unsigned reads; // cached ones too: a walk round a circle of cached pages must end as well

    struct page *table; // open addressing, power of two
    size_t capacity, used;
    struct page recent[RECENT]; // by the low bits of the number: walkers come back to few pages
    uint64_t *wanted;           // scratch of mem_prefetch
    size_t wanted_capacity;
    struct run *runs;
    size_t nruns, runs_capacity;
    uint8_t **slabs;
    size_t nslabs, slabs_capacity, slab_page; // slab_page: next free page over all slabs
};

struct mem *mem_new(mem_fetch fetch, void *arg)
{
    struct mem *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->fetch = fetch;
    m->arg = arg;
    m->capacity = 512;
    m->table = calloc(m->capacity, sizeof *m->table);
    if (!m->table) {
        free(m);
        return NULL;
    }
    return m;
}

void mem_free(struct mem *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->nslabs; i++)
        free(m->slabs[i]);
    free(m->slabs);
    free(m->runs);
    free(m->wanted);
    free(m->table);
    free(m);
}

// Its memory stays: within a walk as much will be needed again.
void mem_forget(struct mem *m)
{
    m->slab_page = 0;
    m->nruns = 0;
    memset(m->recent, 0, sizeof m->recent);
    m->used = 0;
    memset(m->table, 0, m->capacity * sizeof *m->table);
}

void mem_begin(struct mem *m, uint64_t stack_base, const void *stack, size_t stack_len,
               uint64_t max_pages, int64_t deadline_ns)
{
    mem_forget(m);
    while (m->nslabs > KEEP_SLABS)
        free(m->slabs[--m->nslabs]);
    if (stack_base + stack_len < stack_base)
        stack_len = 0;
    m->stack_base = stack_base;
    m->stack = stack;
    m->stack_len = stack ? stack_len : 0;
    m->pages = 0;
    m->max_pages = max_pages;
    m->deadline_ns = deadline_ns;
    m->spent = false;
    m->went_live = false;
}

bool mem_spent(const struct mem *m)
{
    return m->spent;
}

bool mem_went_live(const struct mem *m)
{
    return m->went_live;
}

uint64_t mem_pages(const struct mem *m)
{
    return m->pages;
}

// The page's slot: its own or the free one where it belongs.
static struct page *slot_of(struct page *table, size_t capacity, uint64_t number)
{
    size_t i = (number * 0x9e3779b97f4a7c15ull >> 32) & (capacity - 1);
    while (table[i].number && table[i].number != number)
        i = (i + 1) & (capacity - 1);
    return &table[i];
}

static bool grow_table(struct mem *m)
{
    size_t capacity = m->capacity * 2;
    struct page *table = calloc(capacity, sizeof *table);
    if (!table)
        return false;
    for (size_t i = 0; i < m->capacity; i++)
        if (m->table[i].number)
            *slot_of(table, capacity, m->table[i].number) = m->table[i];
    free(m->table);
    m->table = table;
    m->capacity = capacity;
    return true;
}

static bool grow_slabs(struct mem *m)
{
    if (!list_room(m->slabs, m->nslabs, m->slabs_capacity))
        return false;
    uint8_t *slab = aligned_alloc(MEM_PAGE, (size_t)SLAB_PAGES * MEM_PAGE);
    if (!slab)
        return false;
    m->slabs[m->nslabs++] = slab;
    return true;
}

// Room for n neighbouring pages (n <= RUN_PAGES); NULL when out of memory.
static uint8_t *room_for(struct mem *m, size_t n)
{
    size_t left = SLAB_PAGES - m->slab_page % SLAB_PAGES;
    if (left < n)
        m->slab_page += left;
    if (m->slab_page / SLAB_PAGES >= m->nslabs && !grow_slabs(m))
        return NULL;
    uint8_t *p = m->slabs[m->slab_page / SLAB_PAGES] + m->slab_page % SLAB_PAGES * MEM_PAGE;
    m->slab_page += n;
    return p;
}

static bool within_budget(struct mem *m, size_t n)
{
    if (!m->spent && (m->pages + n > m->max_pages || now_ns() > m->deadline_ns))
        m->spent = true;
    return !m->spent;
}

static void remember(struct mem *m, uint64_t number, uint8_t *bytes)
{
    if (m->used * 2 >= m->capacity && !grow_table(m)) {
        m->spent = true;
        return;
    }
    struct page *p = slot_of(m->table, m->capacity, number);
    if (p->number)
        return;
    *p = (struct page){number, bytes};
    m->used++;
}

static void add_run(struct mem *m, uint64_t first, size_t n, uint8_t *bytes)
{
    if (list_room(m->runs, m->nruns, m->runs_capacity))
        m->runs[m->nruns++] = (struct run){first, n, bytes};
    else
        m->spent = true;
}

static void fetch_page(struct mem *m, uint64_t number)
{
    if (!within_budget(m, 1))
        return;
    uint8_t *bytes = room_for(m, 1);
    if (!bytes) {
        m->spent = true;
        return;
    }
    m->pages++;
    bool ok = m->fetch(m->arg, number * MEM_PAGE, bytes, MEM_PAGE);
    if (ok)
        add_run(m, number, 1, bytes);
    else
        m->slab_page--;
    remember(m, number, ok ? bytes : NULL);
}

// A run that cannot be read as a whole is read page by page: one hole does not hide its neighbours.
static void fetch_run(struct mem *m, uint64_t first, size_t n)
{
    if (n > 1 && within_budget(m, n)) {
        uint8_t *bytes = room_for(m, n);
        if (bytes && m->fetch(m->arg, first * MEM_PAGE, bytes, n * MEM_PAGE)) {
            m->pages += n;
            add_run(m, first, n, bytes);
            for (size_t i = 0; i < n; i++)
                remember(m, first + i, bytes + i * MEM_PAGE);
            return;
        }
        if (bytes)
            m->slab_page -= n;
    }
    for (size_t i = 0; i < n; i++)
        if (!slot_of(m->table, m->capacity, first + i)->number)
            fetch_page(m, first + i);
}

// What was there and cannot be read any more is gone.
static void fetch_run_again(struct mem *m, const struct run *r)
{
    if (m->fetch(m->arg, r->first * MEM_PAGE, r->bytes, r->n * MEM_PAGE))
        return;
    for (size_t i = 0; i < r->n; i++) {
        struct page *p = slot_of(m->table, m->capacity, r->first + i);
        if (p->number && !m->fetch(m->arg, p->number * MEM_PAGE, r->bytes + i * MEM_PAGE, MEM_PAGE))
            p->bytes = NULL;
    }
    memset(m->recent, 0, sizeof m->recent);
}

void mem_refresh(struct mem *m)
{
    for (size_t i = 0; i < m->nruns && within_budget(m, m->runs[i].n); i++) {
        fetch_run_again(m, &m->runs[i]);
        m->pages += m->runs[i].n;
    }
}

static const uint8_t *look_up(struct mem *m, uint64_t number)
{
    struct page *p = slot_of(m->table, m->capacity, number);
    if (!p->number) {
        fetch_page(m, number);
        p = slot_of(m->table, m->capacity, number);
        if (!p->number)
            return NULL;
    }
    m->recent[number % RECENT] = *p;
    return p->bytes;
}

static inline const uint8_t *page_bytes(struct mem *m, uint64_t number)
{
    if (++m->reads % CLOCK_READS == 0)
        within_budget(m, 0);
    if (m->spent)
        return NULL;
    const struct page *p = &m->recent[number % RECENT];
    return p->number == number ? p->bytes : look_up(m, number);
}

static bool is_user(uint64_t address, size_t n)
{
    return address >= MEM_PAGE && address < USER_END && n < USER_END && address + n <= USER_END;
}

static bool read_live(struct mem *m, uint64_t address, uint8_t *out, size_t n)
{
    uint64_t above = m->stack_base + m->stack_len;
    if (m->stack_len && address + n > above && address < above + STACK_REACH)
        m->went_live = true;
    if (address % MEM_PAGE + n <= MEM_PAGE) { // nearly all of them
        const uint8_t *bytes = page_bytes(m, address / MEM_PAGE);
        if (bytes)
            memcpy(out, bytes + address % MEM_PAGE, n);
        return bytes;
    }
    while (n) {
        size_t offset = address % MEM_PAGE, chunk = MEM_PAGE - offset < n ? MEM_PAGE - offset : n;
        const uint8_t *bytes = page_bytes(m, address / MEM_PAGE);
        if (!bytes)
            return false;
        memcpy(out, bytes + offset, chunk);
        address += chunk;
        out += chunk;
        n -= chunk;
    }
    return true;
}

// Most reads by far: within one page of live memory that was read just now. NULL: any other.
static inline const uint8_t *at_hand(struct mem *m, uint64_t address, size_t n)
{
    const struct page *p = &m->recent[address / MEM_PAGE % RECENT];
    bool near_copy = m->stack_len && address + n > m->stack_base &&
                     address < m->stack_base + m->stack_len + STACK_REACH;
    if (p->number != address / MEM_PAGE || !p->bytes || address % MEM_PAGE + n > MEM_PAGE ||
        near_copy || m->spent || (m->reads + 1) % CLOCK_READS == 0)
        return NULL;
    m->reads++;
    return p->bytes + address % MEM_PAGE;
}

bool mem_read(struct mem *m, uint64_t address, void *buf, size_t n)
{
    const uint8_t *bytes = n <= MEM_PAGE ? at_hand(m, address, n) : NULL;
    if (bytes) {
        memcpy(buf, bytes, n);
        return true;
    }
    if (!is_user(address, n))
        return false;
    uint64_t low = m->stack_base, high = low + m->stack_len;
    if (address >= high || address + n <= low)
        return read_live(m, address, buf, n);
    uint8_t *out = buf;
    if (address < low) {
        size_t below = low - address;
        if (!read_live(m, address, out, below))
            return false;
        address += below;
        out += below;
        n -= below;
    }
    size_t inside = high - address < n ? high - address : n;
    memcpy(out, m->stack + (address - low), inside);
    return n == inside || read_live(m, high, out + inside, n - inside);
}

bool mem_u64(struct mem *m, uint64_t address, uint64_t *ret)
{
    const uint8_t *bytes = at_hand(m, address, sizeof *ret);
    if (bytes) {
        memcpy(ret, bytes, sizeof *ret);
        return true;
    }
    return mem_read(m, address, ret, sizeof *ret);
}

bool mem_u32(struct mem *m, uint64_t address, uint32_t *ret)
{
    return mem_read(m, address, ret, sizeof *ret);
}

bool mem_u16(struct mem *m, uint64_t address, uint16_t *ret)
{
    return mem_read(m, address, ret, sizeof *ret);
}

bool mem_u8(struct mem *m, uint64_t address, uint8_t *ret)
{
    return mem_read(m, address, ret, sizeof *ret);
}

bool mem_string(struct mem *m, uint64_t address, char *buf, size_t n)
{
    size_t len = 0;
    while (len + 1 < n) {
        size_t chunk = MEM_PAGE - (address + len) % MEM_PAGE;
        if (chunk > n - 1 - len)
            chunk = n - 1 - len;
        if (!mem_read(m, address + len, buf + len, chunk))
            break;
        size_t seen = strnlen(buf + len, chunk);
        len += seen;
        if (seen < chunk)
            break;
    }
    buf[len] = 0;
    uint8_t first;
    return len || mem_u8(m, address, &first);
}

bool mem_fresh(struct mem *m, uint64_t address, void *buf, size_t n)
{
    uint8_t page[MEM_PAGE], *out = buf;
    if (!is_user(address, n))
        return false;
    while (n) {
        size_t offset = address % MEM_PAGE, chunk = MEM_PAGE - offset < n ? MEM_PAGE - offset : n;
        if (!within_budget(m, 1) || !m->fetch(m->arg, address - offset, page, MEM_PAGE))
            return false;
        m->pages++;
        memcpy(out, page + offset, chunk);
        address += chunk;
        out += chunk;
        n -= chunk;
    }
    return true;
}

static bool want(struct mem *m, size_t *n, uint64_t page)
{
    if ((*n && m->wanted[*n - 1] == page) || slot_of(m->table, m->capacity, page)->number)
        return true;
    if (!list_room(m->wanted, *n, m->wanted_capacity))
        return false;
    m->wanted[(*n)++] = page;
    return true;
}

// The missing pages, sorted, in runs.
void mem_prefetch(struct mem *m, const uint64_t *addresses, size_t count, size_t bytes)
{
    size_t n = 0;
    if (bytes > RUN_PAGES * MEM_PAGE)
        bytes = RUN_PAGES * MEM_PAGE;
    for (size_t i = 0; i < count && bytes; i++) {
        if (!is_user(addresses[i], bytes))
            continue;
        uint64_t last = (addresses[i] + bytes - 1) / MEM_PAGE;
        for (uint64_t page = addresses[i] / MEM_PAGE; page <= last; page++)
            if (!want(m, &n, page))
                return;
    }
    qsort(m->wanted, n, sizeof *m->wanted, list_by_number);
    for (size_t i = 0; i < n && !m->spent;) {
        uint64_t first = m->wanted[i], end = first + 1;
        while (++i < n && m->wanted[i] - first < RUN_PAGES && m->wanted[i] <= end + GAP_PAGES)
            end = m->wanted[i] + 1;
        fetch_run(m, first, end - first);
    }
}

void mem_ahead(struct mem *m, uint64_t address)
{
    uint64_t page = address / MEM_PAGE;
    if (m->recent[page % RECENT].number == page || slot_of(m->table, m->capacity, page)->number)
        return;
    uint64_t around = page / AHEAD_PAGES * AHEAD_PAGES * MEM_PAGE;
    mem_prefetch(m, &around, 1, AHEAD_PAGES * MEM_PAGE);
}
