// A hostile live table: its bytes are the input, and some of them change between the reads of one look, as a program
// that runs may change them. Two looks, then everything that is told of them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../agent/target/live.h"

#define FILE_SIZE (1u << 16)

struct image {
    const uint8_t *changes; // pairs of bytes: where (in 16ths of the file) and what
    size_t nchanges, at;
    uint8_t bytes[FILE_SIZE];
};

static void change(struct image *im)
{
    if (im->at + 3 > im->nchanges)
        return;
    size_t where = (im->changes[im->at] << 8 | im->changes[im->at + 1]) % FILE_SIZE;
    im->bytes[where] ^= im->changes[im->at + 2];
    im->at += 3;
}

static ssize_t read_image(void *arg, uint64_t offset, void *buf, size_t size)
{
    struct image *im = arg;
    if (offset > FILE_SIZE || size > FILE_SIZE - offset)
        return -1;
    memcpy(buf, im->bytes + offset, size);
    change(im);
    return (ssize_t)size;
}

// The program's own memory: the same bytes again, wherever it is asked for.
static bool read_memory(void *arg, uint64_t address, void *buf, size_t size)
{
    const struct image *im = arg;
    if (address % 7 == 3)
        return false;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)buf)[i] = im->bytes[(address + i) % FILE_SIZE];
    return true;
}

// Most inputs would die at the header: one that holds water, around which the rest may be anything.
static void plausible_header(struct image *im)
{
    struct ls_abi_header *h = (struct ls_abi_header *)im->bytes;
    uint32_t slots = h->slots_used % 300, sites = h->sites_used % 40, loops = h->loops_used % 5;
    *h = (struct ls_abi_header){.magic = LS_ABI_MAGIC,
                                .version = LS_ABI_VERSION,
                                .header_size = sizeof(*h),
                                .pid = 1,
                                .total_size = FILE_SIZE,
                                .loops_offset = 1024,
                                .loop_size = sizeof(struct ls_abi_loop),
                                .loops_capacity = 5,
                                .loops_used = loops,
                                .slots_offset = 4096,
                                .slot_size = sizeof(struct ls_abi_task),
                                .slots_capacity = 300,
                                .slots_used = slots,
                                .sites_offset = 48000,
                                .site_size = sizeof(struct ls_abi_site),
                                .sites_capacity = 40,
                                .sites_used = sites,
                                .strings_offset = 60000,
                                .strings_capacity = 4096,
                                .strings_used = h->strings_used % 4096,
                                .wrong_calls = h->wrong_calls,
                                .wrong_name = h->wrong_name,
                                .wrong_site = h->wrong_site,
                                .wrong_loop = h->wrong_loop};
    for (uint32_t i = 0; i < slots; i++) { // slots that are looked at, in the right place
        struct ls_abi_task *s = (struct ls_abi_task *)(im->bytes + 4096) + i;
        s->seq &= ~1u;
        s->id = (s->id & 0xff000000) | 1u << LS_ABI_SLOT_BITS | i;
        s->parent = (s->parent & 0xff000000) | 1u << LS_ABI_SLOT_BITS | s->parent % 300;
        s->loop = loops ? s->loop % loops : 0;
        s->state = (uint8_t)(1 + s->state % 8);
        if (s->wait == LS_ABI_WAIT_TASK)
            s->wait_object = 1u << LS_ABI_SLOT_BITS | s->wait_object % 300;
    }
}

static void tell(struct model *m, struct proc *p)
{
    struct snap *s = snap_new();
    s->tasks_total = SNAP_UNKNOWN;
    s->tasks = snap_alloc(s, sizeof(*s->tasks) * (live_count_tasks(p) + 1));
    s->task_sites = snap_alloc(s, sizeof(*s->task_sites) * (live_count_sites(p) + 1));
    struct snap_process to = {.ntasks = SNAP_UNKNOWN, .misuse = {.calls = SNAP_UNKNOWN}};
    live_put_totals(p, s, &to);
    live_put_sites(p, s);
    live_put_rows(m, s, true);
    snap_unref(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct image im;
    if (size < 4)
        return 0;
    size_t nchanges = data[0] * 3u, first = 2;
    bool plausible = data[1] % 4 != 0;
    if (nchanges > size - first)
        nchanges = 0;
    memset(&im, 0, sizeof(im));
    im.changes = data + first;
    im.nchanges = nchanges;
    data += first + nchanges, size -= first + nchanges;
    for (size_t i = 0; i < FILE_SIZE && size > 0; i++) // repeated, so that small inputs fill it
        im.bytes[i] = (uint8_t)(data[i % size] + i / size);
    if (plausible)
        plausible_header(&im);
    struct live live = {.pid = 1, .fd = -1};
    struct live_source source = {read_image, read_memory, &im, FILE_SIZE, 1, 0};
    struct proc p = {.pid = 1, .live = &live};
    struct model m = {.now_ns = 1000000000000, .time_scale = 1};
    m.wishes.tasks = (struct wish_rows){.until_ns = INT64_MAX, .count = 500, .state = -1};
    HASH_ADD_INT(m.procs, pid, (&p));
    live_table_init(&live.table, &source);
    live.book.closed = true;
    for (int i = 0; i < 2; i++, m.now_ns += 40000000000) {
        if (live_table_look(&live.table) < 0 ||
            live_book_judge(&live.book, &live.table, m.now_ns, 1) < 0)
            break;
        live.read_once = true;
        tell(&m, &p);
    }
    live_table_free(&live.table);
    live_book_free(&live.book);
    HASH_CLEAR(hh, m.procs);
    return 0;
}
