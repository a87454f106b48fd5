#include "live_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_SLOTS 1024u
// A target may claim more, and may have made a sparse file as large: we would have to hold it.
#define SLOTS_MAX       (1u << 21)
#define LOOPS_MAX       1024u
#define SITES_MAX       (1u << 17)
#define STRINGS_MAX     (16u << 20)
#define STRIDE_MAX      4096u
#define STRINGS_AT_ONCE (1u << 20)
#define TRIES           3
#define TWINS_APART     64
#define HEADER_MIN      offsetof(struct ls_abi_header, wrong_seq) // what version 1 began with

void live_table_init(struct live_table *t, const struct live_source *source)
{
    *t = (struct live_table){.source = *source};
}

void live_table_free(struct live_table *t)
{
    free(t->loops);
    free(t->slots);
    free(t->sites);
    free(t->stats);
    free(t->strings);
    free(t->scratch);
    memset(t, 0, sizeof(*t));
}

static int refuse(struct live_table *t, const char *why)
{
    snprintf(t->why_not, sizeof(t->why_not), "%s", why);
    return -EPROTO;
}

static bool fetch(const struct live_table *t, uint64_t offset, void *buf, size_t size)
{
    const struct live_source *s = &t->source;
    if (offset > s->size || size > s->size - offset)
        return false;
    return s->read(s->arg, offset, buf, size) == (ssize_t)size;
}

static void *scratch(struct live_table *t, size_t size)
{
    if (size > t->scratch_size) {
        char *more = realloc(t->scratch, size);
        if (!more)
            return NULL;
        t->scratch = more;
        t->scratch_size = size;
    }
    return t->scratch;
}

// ---- header ----

static bool array_fits(const struct live_table *t, uint64_t offset, uint64_t stride, uint64_t count)
{
    return offset <= t->source.size && stride * count <= t->source.size - offset;
}

static bool stride_ok(uint32_t stride, size_t known)
{
    return stride >= known && stride <= STRIDE_MAX && stride % 8 == 0;
}

static int check_header(struct live_table *t, const struct ls_abi_header *h)
{
    if (h->magic == 0)
        return -EAGAIN;
    if (h->magic != LS_ABI_MAGIC)
        return refuse(t, "it does not begin as a task table does");
    if (h->version != LS_ABI_VERSION)
        return refuse(t, "its version is not known");
    if (h->header_size < HEADER_MIN || h->header_size > 4096 || h->total_size > t->source.size)
        return refuse(t, "its header contradicts its size");
    if (h->pid != t->source.pid ||
        (t->source.start_time && h->start_time && h->start_time != t->source.start_time))
        return -ESTALE;
    if (!stride_ok(h->slot_size, sizeof(struct ls_abi_task)) ||
        !stride_ok(h->loop_size, sizeof(struct ls_abi_loop)) ||
        h->site_size < sizeof(struct ls_abi_site) || h->site_size > STRIDE_MAX)
        return refuse(t, "its records have impossible sizes");
    if (h->slots_used > h->slots_capacity || h->loops_used > h->loops_capacity ||
        h->sites_used > h->sites_capacity || h->strings_used > h->strings_capacity)
        return refuse(t, "it uses more than it has");
    if (h->slots_used > SLOTS_MAX || h->loops_used > LOOPS_MAX || h->sites_used > SITES_MAX ||
        h->strings_used > STRINGS_MAX)
        return refuse(t, "it is larger than can be read");
    if (!array_fits(t, h->slots_offset, h->slot_size, h->slots_used) ||
        !array_fits(t, h->loops_offset, h->loop_size, h->loops_used) ||
        !array_fits(t, h->sites_offset, h->site_size, h->sites_used) ||
        !array_fits(t, h->strings_offset, 1, h->strings_used))
        return refuse(t, "its arrays lie outside of it");
    return 0;
}

static void copy_wrong(struct ls_abi_header *to, const struct ls_abi_header *from)
{
    to->wrong_tid = from->wrong_tid;
    to->wrong_calls = from->wrong_calls;
    to->wrong_name = from->wrong_name;
    to->wrong_site = from->wrong_site;
    to->wrong_loop = from->wrong_loop;
}

static int read_header(struct live_table *t)
{
    struct ls_abi_header h, again;
    if (!fetch(t, 0, &h, sizeof(h)) || !fetch(t, 0, &again, sizeof(again)))
        return -EIO;
    int r = check_header(t, &h);
    if (r == 0 && h.header_size < sizeof(h))
        memset((char *)&h + h.header_size, 0, sizeof(h) - h.header_size);
    else if (r == 0 && (h.wrong_seq % 2 || h.wrong_seq != again.wrong_seq))
        copy_wrong(&h, &t->header); // in the middle of a change: that of before
    if (r == 0 && h.wrong_site >= h.sites_used)
        h.wrong_site = 0;
    if (r == 0) {
        t->header = h;
        t->ready = true;
    }
    return r;
}

// ---- sites and their texts: they only grow ----

static int read_strings(struct live_table *t)
{
    uint32_t used = t->header.strings_used;
    if (used < t->nstrings)
        return refuse(t, "its texts have shrunk");
    if (used == t->nstrings && t->strings)
        return 0;
    char *more = realloc(t->strings, (size_t)used + 1);
    if (!more)
        return -ENOMEM;
    t->strings = more;
    for (uint32_t at = t->nstrings; at < used;) {
        uint32_t n = used - at < STRINGS_AT_ONCE ? used - at : STRINGS_AT_ONCE;
        if (!fetch(t, t->header.strings_offset + at, more + at, n))
            return -EIO;
        at += n;
    }
    t->nstrings = used;
    more[used] = '\0';
    return 0;
}

static struct live_site take_site(const struct live_table *t, const char *record)
{
    struct ls_abi_site s;
    memcpy(&s, record, sizeof(s));
    return (struct live_site){.file = s.file < t->nstrings ? s.file : t->nstrings,
                              .function = s.function < t->nstrings ? s.function : t->nstrings,
                              .label = s.label < t->nstrings ? s.label : t->nstrings,
                              .line = s.line};
}

static bool reads_same(const struct live_table *t, const struct live_site *a,
                       const struct live_site *b)
{
    return a->line == b->line && strcmp(t->strings + a->label, t->strings + b->label) == 0 &&
           strcmp(t->strings + a->file, t->strings + b->file) == 0;
}

// Those of one line are met soon after one another.
static uint32_t first_like(const struct live_table *t, uint32_t i)
{
    for (uint32_t k = i > TWINS_APART ? i - TWINS_APART : 1; k < i; k++)
        if (reads_same(t, &t->sites[k], &t->sites[i]))
            return t->sites[k].first;
    return i;
}

static int read_sites(struct live_table *t)
{
    uint32_t used = t->header.sites_used, stride = t->header.site_size, from = t->nsites;
    if (used < from)
        return refuse(t, "its sites have shrunk");
    if (used == from)
        return 0;
    struct live_site *more = realloc(t->sites, used * sizeof(*more));
    if (!more)
        return -ENOMEM;
    t->sites = more;
    struct ls_abi_site_stats *stats = realloc(t->stats, used * sizeof(*stats));
    if (!stats)
        return -ENOMEM;
    t->stats = stats;
    memset(stats + from, 0, (used - from) * sizeof(*stats));
    char *records = scratch(t, (size_t)(used - from) * stride);
    if (!records)
        return -ENOMEM;
    if (!fetch(t, t->header.sites_offset + (uint64_t)from * stride, records,
               (size_t)(used - from) * stride))
        return -EIO;
    for (uint32_t i = from; i < used; i++) {
        t->sites[i] = take_site(t, records + (size_t)(i - from) * stride);
        t->sites[i].first = first_like(t, i);
    }
    t->nsites = used;
    return 0;
}

// ---- loops ----

static int read_loops(struct live_table *t)
{
    uint32_t n = t->header.loops_used, stride = t->header.loop_size;
    char *twice = scratch(t, (size_t)n * stride * 2 + 1);
    struct ls_abi_loop *loops = realloc(t->loops, (n + 1) * sizeof(*loops));
    if (loops)
        t->loops = loops;
    if (!twice || !loops)
        return -ENOMEM;
    if (n > t->nloops)
        memset(t->loops + t->nloops, 0, (n - t->nloops) * sizeof(*loops));
    t->nloops = n;
    char *again = twice + (size_t)n * stride;
    if (!fetch(t, t->header.loops_offset, twice, (size_t)n * stride) ||
        !fetch(t, t->header.loops_offset, again, (size_t)n * stride))
        return -EIO;
    for (uint32_t i = 0; i < n; i++) {
        struct ls_abi_loop a, b;
        memcpy(&a, twice + (size_t)i * stride, sizeof(a));
        memcpy(&b, again + (size_t)i * stride, sizeof(b));
        if (a.seq != b.seq || a.seq % 2)
            continue;
        t->loops[i] = a;
        t->loops[i].name[sizeof(a.name) - 1] = '\0';
    }
    return 0;
}

// ---- slots ----

static int grow_slots(struct live_table *t)
{
    uint32_t n = t->header.slots_used;
    if (n < t->nslots)
        return refuse(t, "its slots have shrunk");
    if (n > t->slots_cap) {
        uint32_t cap = t->slots_cap ? t->slots_cap : CHUNK_SLOTS;
        while (cap < n)
            cap *= 2;
        struct ls_abi_task *more = realloc(t->slots, cap * sizeof(*more));
        if (!more)
            return -ENOMEM;
        t->slots = more;
        t->slots_cap = cap;
    }
    if (n > t->nslots)
        memset(t->slots + t->nslots, 0, (n - t->nslots) * sizeof(*t->slots));
    t->nslots = n;
    return 0;
}

// Fields of a slot that other code uses as an index, made safe.
static void take_slot(struct live_table *t, uint32_t i, const struct ls_abi_task *from)
{
    struct ls_abi_task *s = &t->slots[i];
    *s = *from;
    s->name[sizeof(s->name) - 1] = '\0';
    s->spawn_site = s->spawn_site < t->nsites ? t->sites[s->spawn_site].first : 0;
    if (s->await_site >= t->nsites)
        s->await_site = 0;
    // The id says where it is and the loop whose it is: what does not fit is nobody's task.
    if (s->id && (LS_ABI_SLOT_OF(s->id) != i || (int64_t)s->id < 0 || s->loop >= t->nloops ||
                  s->state == LS_ABI_FREE || s->state > LS_ABI_CANCELLED))
        s->id = 0;
}

// How many slots were in the middle of a change.
static uint32_t compare_slots(struct live_table *t, uint32_t first, uint32_t n, const char *a,
                              const char *b)
{
    uint32_t stride = t->header.slot_size, unstable = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct ls_abi_task x, y;
        memcpy(&x, a + (size_t)i * stride, sizeof(x));
        memcpy(&y.seq, b + (size_t)i * stride, sizeof(y.seq));
        if (x.seq == y.seq && x.seq % 2 == 0)
            take_slot(t, first + i, &x);
        else
            unstable++;
    }
    return unstable;
}

static bool is_unchanged(const struct live_table *t, uint32_t first, uint32_t n, const char *a)
{
    return t->header.slot_size == sizeof(*t->slots) &&
           memcmp(t->slots + first, a, n * sizeof(*t->slots)) == 0;
}

static int read_chunk(struct live_table *t, uint32_t first, uint32_t n)
{
    uint64_t offset = t->header.slots_offset + (uint64_t)first * t->header.slot_size;
    size_t size = (size_t)n * t->header.slot_size;
    char *a = scratch(t, size * 2), *b = a + size;
    if (!a)
        return -ENOMEM;
    t->chunks_read++;
    for (int i = 0; i < TRIES; i++) {
        if (!fetch(t, offset, a, size))
            return -EIO;
        if (i == 0 && is_unchanged(t, first, n, a))
            return 0;
        if (!fetch(t, offset, b, size))
            return -EIO;
        if (compare_slots(t, first, n, a, b) == 0)
            break;
    }
    t->chunks_changed++;
    return 0;
}

static int read_slots(struct live_table *t)
{
    int r = grow_slots(t);
    t->chunks_read = t->chunks_changed = 0;
    for (uint32_t first = 0; r == 0 && first < t->nslots; first += CHUNK_SLOTS) {
        uint32_t left = t->nslots - first;
        r = read_chunk(t, first, left < CHUNK_SLOTS ? left : CHUNK_SLOTS);
    }
    return r;
}

// ---- what became of the tasks of each site ----

static void add_stats(struct ls_abi_site_stats *to, const struct ls_abi_site_stats *s)
{
    to->created += s->created;
    to->completed += s->completed;
    to->failed += s->failed;
    to->cancelled += s->cancelled;
    to->sum_ns = (int64_t)((uint64_t)to->sum_ns + (uint64_t)s->sum_ns);
    if (s->max_ns > to->max_ns)
        to->max_ns = s->max_ns;
    to->never_awaited += s->never_awaited;
    to->errors_unread += s->errors_unread;
    to->orphaned += s->orphaned;
    if (s->last_error)
        to->last_error = s->last_error;
}

static bool stats_of_loop(const struct live_table *t, const struct ls_abi_loop *l)
{
    return l->tid && l->stats_address && t->source.memory &&
           l->stats_size >= sizeof(struct ls_abi_site_stats) && l->stats_size <= STRIDE_MAX;
}

// In the program's own memory: what cannot be read is unknown, not an error.
static void read_stats(struct live_table *t)
{
    t->have_stats = false;
    if (t->nsites > 0)
        memset(t->stats, 0, t->nsites * sizeof(*t->stats));
    for (uint32_t i = 0; i < t->nloops; i++) {
        const struct ls_abi_loop *l = &t->loops[i];
        if (!stats_of_loop(t, l))
            continue;
        size_t size = (size_t)t->nsites * l->stats_size;
        char *records = scratch(t, size + 1);
        if (!records || !t->source.memory(t->source.arg, l->stats_address, records, size))
            continue;
        for (uint32_t k = 0; k < t->nsites; k++) {
            struct ls_abi_site_stats s;
            memcpy(&s, records + (size_t)k * l->stats_size, sizeof(s));
            add_stats(&t->stats[t->sites[k].first], &s);
        }
        t->have_stats = true;
    }
}

static void add_buckets(const struct live_table *t, uint64_t address, uint64_t *to)
{
    uint32_t buckets[LS_ABI_SITE_BUCKETS];
    if (!address || !t->source.memory(t->source.arg, address, buckets, sizeof(buckets)))
        return;
    for (unsigned i = 0; i < LS_ABI_SITE_BUCKETS; i++)
        to[i] += buckets[i];
}

bool live_buckets(const struct live_table *t, uint32_t site, uint64_t ret[LS_ABI_SITE_BUCKETS])
{
    uint64_t sum = 0;
    memset(ret, 0, LS_ABI_SITE_BUCKETS * sizeof(*ret));
    if (site >= t->nsites)
        return false;
    for (uint32_t i = 0; i < t->nloops; i++) {
        const struct ls_abi_loop *l = &t->loops[i];
        struct ls_abi_site_stats s;
        if (stats_of_loop(t, l) &&
            t->source.memory(t->source.arg, l->stats_address + (uint64_t)site * l->stats_size, &s,
                             sizeof(s)))
            add_buckets(t, s.buckets, ret);
    }
    for (unsigned i = 0; i < LS_ABI_SITE_BUCKETS; i++)
        sum += ret[i];
    return sum > 0;
}

int64_t live_bucket_limit(unsigned bucket)
{
    if (bucket == 0)
        return 4096;
    return (int64_t)(8 + (bucket - 1) % 8 + 1) << ((bucket - 1) / 8 + 9);
}

// ---- a look ----

int live_table_look(struct live_table *t)
{
    int r = read_header(t);
    if (r == 0)
        r = read_strings(t);
    if (r == 0)
        r = read_sites(t);
    if (r == 0)
        r = read_loops(t);
    if (r == 0)
        r = read_slots(t);
    if (r == 0)
        read_stats(t);
    return r;
}

const struct ls_abi_task *live_task(const struct live_table *t, uint64_t id)
{
    uint32_t i = LS_ABI_SLOT_OF(id);
    return id && i < t->nslots && t->slots[i].id == id ? &t->slots[i] : NULL;
}

int live_loop_of(const struct live_table *t, int tid)
{
    for (uint32_t i = 0; i < t->nloops; i++)
        if (t->loops[i].tid == tid && tid > 0)
            return (int)i;
    return -1;
}

uint64_t live_current(const struct live_table *t, int loop)
{
    uint64_t id;
    uint64_t at = t->header.loops_offset + (uint64_t)loop * t->header.loop_size +
                  offsetof(struct ls_abi_loop, current);
    return loop >= 0 && (uint32_t)loop < t->nloops && fetch(t, at, &id, sizeof(id)) ? id : 0;
}

bool live_task_now(const struct live_table *t, uint64_t id, struct ls_abi_task *ret)
{
    uint32_t i = LS_ABI_SLOT_OF(id), seq;
    uint64_t at = t->header.slots_offset + (uint64_t)i * t->header.slot_size;
    if (!id || !t->ready || i >= t->header.slots_capacity)
        return false;
    for (int try = 0; try < TRIES; try++) {
        if (!fetch(t, at, ret, sizeof(*ret)) || !fetch(t, at, &seq, sizeof(seq)))
            return false;
        if (ret->seq == seq && seq % 2 == 0) {
            ret->name[sizeof(ret->name) - 1] = '\0';
            return ret->id == id;
        }
    }
    return false;
}

const char *live_string(const struct live_table *t, uint32_t offset)
{
    return t->strings && offset < t->nstrings ? t->strings + offset : "";
}

const struct live_site *live_site(const struct live_table *t, uint32_t site)
{
    return site > 0 && site < t->nsites ? &t->sites[site] : NULL;
}
