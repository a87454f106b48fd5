#include "capture.h"

#include <asm/perf_regs.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DATA_PAGES 4096 // room for all the switches of a start: when it is full, the newest are lost
#define STACK_DUMP (32 * 1024)

struct capture {
    int tid, tick, sleep;
    struct perf_event_mmap_page *page;
    uint8_t *data;
    bool have;
    struct sample last;
};

static int open_event(int tid, uint64_t config, uint64_t period)
{
    const uint64_t wanted = 1ull << PERF_REG_X86_AX | 1ull << PERF_REG_X86_BX |
                            1ull << PERF_REG_X86_CX | 1ull << PERF_REG_X86_DX |
                            1ull << PERF_REG_X86_SI | 1ull << PERF_REG_X86_DI |
                            1ull << PERF_REG_X86_BP | 1ull << PERF_REG_X86_SP |
                            1ull << PERF_REG_X86_IP | 0xffull << PERF_REG_X86_R8;
    struct perf_event_attr a = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof a,
        .config = config,
        .sample_period = period,
        .sample_type = PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
        .sample_regs_user = wanted,
        .sample_stack_user = STACK_DUMP,
        .watermark = 1,
        .wakeup_watermark = 1u << 30,
    };
    return (int)syscall(SYS_perf_event_open, &a, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

struct capture *capture_open(int tid)
{
    struct capture *c = calloc(1, sizeof *c);
    size_t size = (size_t)(DATA_PAGES + 1) * 4096;
    c->tid = tid;
    c->tick = open_event(tid, PERF_COUNT_SW_TASK_CLOCK, 5000000);
    c->sleep = open_event(tid, PERF_COUNT_SW_CONTEXT_SWITCHES, 1);
    void *p = c->tick < 0 || c->sleep < 0
                  ? MAP_FAILED
                  : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, c->tick, 0);
    if (p == MAP_FAILED || ioctl(c->sleep, PERF_EVENT_IOC_SET_OUTPUT, c->tick)) {
        free(c);
        return NULL;
    }
    c->page = p;
    c->data = (uint8_t *)p + 4096;
    return c;
}

void capture_close(struct capture *c)
{
    if (!c)
        return;
    munmap(c->page, (size_t)(DATA_PAGES + 1) * 4096);
    close(c->tick);
    close(c->sleep);
    free(c);
}

static void ring_copy(const struct capture *c, uint64_t at, void *buf, size_t n)
{
    const size_t size = (size_t)DATA_PAGES * 4096;
    size_t offset = at % size, first = size - offset < n ? size - offset : n;
    memcpy(buf, c->data + offset, first);
    memcpy((uint8_t *)buf + first, c->data, n - first);
}

// Record: abi, registers by rising bit (ax bx cx dx si di bp sp ip r8..r15), size, bytes, dynamic
// size.
static void take_record(struct capture *c, uint64_t at)
{
    uint64_t abi, regs[17], size, dynamic = 0;
    ring_copy(c, at, &abi, 8);
    if (abi != PERF_SAMPLE_REGS_ABI_64)
        return;
    ring_copy(c, at + 8, regs, sizeof regs);
    ring_copy(c, at + 8 + sizeof regs, &size, 8);
    if (size > STACK_DUMP)
        return;
    uint64_t bytes = at + 16 + sizeof regs;
    ring_copy(c, bytes, c->last.stack, size);
    if (size)
        ring_copy(c, bytes + size, &dynamic, 8);
    uint64_t *d = c->last.regs;
    d[0] = regs[0], d[3] = regs[1], d[2] = regs[2], d[1] = regs[3];
    d[4] = regs[4], d[5] = regs[5], d[6] = regs[6], d[7] = regs[7], d[16] = regs[8];
    memcpy(d + 8, regs + 9, 8 * sizeof *regs);
    c->last.stack_base = d[7];
    c->last.stack_len = dynamic < size ? dynamic : size;
    c->have = true;
}

static void drain(struct capture *c)
{
    uint64_t head = __atomic_load_n(&c->page->data_head, __ATOMIC_ACQUIRE);
    uint64_t tail = c->page->data_tail;
    while (tail < head) {
        struct perf_event_header h;
        ring_copy(c, tail, &h, sizeof h);
        if (h.type == PERF_RECORD_SAMPLE)
            take_record(c, tail + sizeof h);
        if (!h.size)
            break;
        tail += h.size;
    }
    __atomic_store_n(&c->page->data_tail, head, __ATOMIC_RELEASE);
}

static bool is_running(int tid)
{
    char path[64], text[256] = "", *end;
    snprintf(path, sizeof path, "/proc/%d/stat", tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (read(fd, text, sizeof text - 1) < 0)
        text[0] = 0;
    close(fd);
    end = strrchr(text, ')');
    return end && end[1] && end[2] == 'R';
}

bool capture_take(struct capture *c, struct sample *ret, int timeout_ms)
{
    for (int waited = 0; waited <= timeout_ms; waited += 5) {
        drain(c);
        bool running = is_running(c->tid);
        if (running)
            c->have = false;
        usleep(running ? 12000 : 5000);
        drain(c);
        if (c->have && running == is_running(c->tid)) {
            *ret = c->last;
            ret->on_cpu = running;
            return true;
        }
    }
    return false;
}
