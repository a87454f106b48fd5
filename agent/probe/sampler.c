#include "sampler.h"

#include <asm/perf_regs.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "perf.h"

enum {
    RING_SIZE = 65536, // three samples; unprivileged users may lock some 500 KB
    RECORD_MAX = SAMPLED_STACK + 1024,
};

struct sampler {
    int fd;
    uint8_t *map; // a control page, then the ring
    size_t map_size, page;
    uint8_t record[RECORD_MAX];
};

// In the order of the mask's bits: PERF_REG_X86_AX ... SS, R8 ... R15.
struct sampled_regs {
    uint64_t ax, bx, cx, dx, si, di, bp, sp, ip, flags, cs, ss, r8, r9, r10, r11, r12, r13, r14,
        r15;
};

int sampler_open(struct sampler **ret, struct opener *opener, int tid)
{
    struct sampler *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->page = sysconf(_SC_PAGESIZE);
    s->map_size = s->page + RING_SIZE;
    s->fd = perf_open_samples(opener, tid);
    if (s->fd < 0) {
        int err = s->fd;
        free(s);
        return err;
    }
    void *map = mmap(NULL, s->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    if (map == MAP_FAILED) {
        int err = -errno;
        close(s->fd);
        free(s);
        return err;
    }
    s->map = map;
    *ret = s;
    return 0;
}

void sampler_close(struct sampler *s)
{
    if (!s)
        return;
    munmap(s->map, s->map_size);
    close(s->fd);
    free(s);
}

static void ring_copy(const struct sampler *s, uint64_t at, void *to, size_t len)
{
    const uint8_t *ring = s->map + s->page;
    size_t begin = at & (RING_SIZE - 1), first = RING_SIZE - begin;
    if (first > len)
        first = len;
    memcpy(to, ring + begin, first);
    memcpy((uint8_t *)to + first, ring, len - first);
}

static void fill_regs(const struct sampled_regs *from, struct ls_regs *to)
{
    *to = (struct ls_regs){
        .r15 = from->r15,
        .r14 = from->r14,
        .r13 = from->r13,
        .r12 = from->r12,
        .bp = from->bp,
        .bx = from->bx,
        .r11 = from->r11,
        .r10 = from->r10,
        .r9 = from->r9,
        .r8 = from->r8,
        .ax = from->ax,
        .cx = from->cx,
        .dx = from->dx,
        .si = from->si,
        .di = from->di,
        .orig_ax = ~0ULL,
        .ip = from->ip,
        .cs = from->cs,
        .flags = from->flags,
        .sp = from->sp,
        .ss = from->ss,
    };
}

// time, abi, registers, size of the stack, the stack, how much of it was copied.
static bool parse(struct sampler *s, size_t len, struct sampler_sample *ret)
{
    struct head {
        struct perf_event_header header;
        uint64_t time, abi;
        struct sampled_regs regs;
        uint64_t stack_size;
    } *head = (struct head *)(void *)s->record;
    if (len < sizeof(*head) || head->abi != PERF_SAMPLE_REGS_ABI_64)
        return false;
    uint64_t room = head->stack_size, copied;
    if (room > len - sizeof(*head) || len - sizeof(*head) - room < sizeof(copied))
        return false;
    memcpy(&copied, s->record + sizeof(*head) + room, sizeof(copied));
    ret->at_ns = (int64_t)head->time;
    fill_regs(&head->regs, &ret->regs);
    ret->stack = s->record + sizeof(*head);
    ret->stack_len = copied < room ? copied : room;
    return true;
}

int sampler_newest(struct sampler *s, struct sampler_sample *ret)
{
    struct perf_event_mmap_page *control = (struct perf_event_mmap_page *)(void *)s->map;
    uint64_t head = __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
    uint64_t tail = control->data_tail, newest = 0;
    size_t newest_len = 0;
    while (tail < head) {
        struct perf_event_header header;
        ring_copy(s, tail, &header, sizeof(header));
        if (header.size < sizeof(header))
            break;
        if (header.type == PERF_RECORD_SAMPLE && header.size <= RECORD_MAX) {
            newest = tail;
            newest_len = header.size;
        }
        tail += header.size;
    }
    int found = 0;
    if (newest_len) {
        ring_copy(s, newest, s->record, newest_len);
        found = parse(s, newest_len, ret);
    }
    __atomic_store_n(&control->data_tail, head, __ATOMIC_RELEASE);
    return found;
}
