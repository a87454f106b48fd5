#include "perf.h"

#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum event_kind { EVENT_TICK, EVENT_BREAKPOINT, EVENT_SAMPLES };

static const struct perf_event_attr tick = {
    .size = sizeof(tick),
    .type = PERF_TYPE_SOFTWARE,
    .config = PERF_COUNT_SW_CPU_CLOCK,
    .sample_period = TICK_PERIOD_NS,
};

static const struct perf_event_attr breakpoint = {
    .size = sizeof(breakpoint),
    .type = PERF_TYPE_BREAKPOINT,
    .bp_type = HW_BREAKPOINT_X,
    .bp_len = sizeof(long),
    .sample_period = 1,
    .disabled = 1,
    .exclude_kernel = 1,
    .exclude_hv = 1,
};

static const struct perf_event_attr samples = {
    .size = sizeof(samples),
    .type = PERF_TYPE_SOFTWARE,
    .config = PERF_COUNT_SW_TASK_CLOCK,
    .sample_period = TICK_PERIOD_NS,
    .sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
    .sample_regs_user = SAMPLED_REGS,
    .sample_stack_user = SAMPLED_STACK,
    .use_clockid = 1,
    .clockid = CLOCK_MONOTONIC,
    .exclude_kernel = 1,
    .exclude_hv = 1,
    .exclude_callchain_kernel = 1,
};

int perf_open_order(const struct opener_order *o)
{
    struct perf_event_attr attr;
    bool of_cpu = o->kind == EVENT_TICK;
    if (of_cpu ? o->tid != -1 || o->cpu < 0 : o->tid <= 0 || o->cpu != -1) // 0: oneself
        return -EINVAL;
    switch (o->kind) {
    case EVENT_TICK: attr = tick; break;
    case EVENT_BREAKPOINT: attr = breakpoint; break;
    case EVENT_SAMPLES: attr = samples; break;
    default: return -EINVAL;
    }
    if (o->kind == EVENT_BREAKPOINT)
        attr.bp_addr = o->address;
    int fd = (int)syscall(SYS_perf_event_open, &attr, o->tid, o->cpu, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int perf_open(struct opener *opener, const struct opener_order *order, int prog_fd)
{
    int fd = opener ? opener_ask(opener, order) : perf_open_order(order);
    // The ioctl rather than a link: one descriptor a thread instead of two.
    if (fd >= 0 && prog_fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog_fd)) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

int perf_open_tick(struct opener *opener, int cpu, int prog_fd)
{
    const struct opener_order order = {.kind = EVENT_TICK, .tid = -1, .cpu = cpu};
    return perf_open(opener, &order, prog_fd);
}

int perf_open_breakpoint(struct opener *opener, int tid, uint64_t pc, int prog_fd)
{
    const struct opener_order order = {
        .kind = EVENT_BREAKPOINT, .tid = tid, .cpu = -1, .address = pc};
    return perf_open(opener, &order, prog_fd);
}

int perf_open_samples(struct opener *opener, int tid)
{
    const struct opener_order order = {.kind = EVENT_SAMPLES, .tid = tid, .cpu = -1};
    return perf_open(opener, &order, -1);
}

int perf_arm(int fd, int hits)
{
    return ioctl(fd, PERF_EVENT_IOC_REFRESH, hits) ? -errno : 0;
}

int64_t perf_count(int fd)
{
    // Not poll(): without a mapped ring it answers POLLHUP at once.
    uint64_t count;
    return read(fd, &count, sizeof(count)) == sizeof(count) ? (int64_t)count : -errno;
}
