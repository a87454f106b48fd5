#include "perf.h"

#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int perf_open(struct perf_event_attr *attr, int tid, int cpu, int prog_fd)
{
    attr->size = sizeof(*attr);
    int fd = (int)syscall(SYS_perf_event_open, attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -errno;
    // The ioctl rather than a link: one descriptor a thread instead of two.
    if (prog_fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog_fd)) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

int perf_open_tick(int tid, int prog_fd)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .sample_period = TICK_PERIOD_NS,
    };
    return perf_open(&attr, tid, -1, prog_fd);
}

int perf_open_breakpoint(int tid, uint64_t pc, int prog_fd)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_BREAKPOINT,
        .bp_type = HW_BREAKPOINT_X,
        .bp_addr = pc,
        .bp_len = sizeof(long),
        .sample_period = 1,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    return perf_open(&attr, tid, -1, prog_fd);
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
