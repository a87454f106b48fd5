// What watches needs little of the CPU, but soon: a stall is to be shown while it lasts, also on a machine that is full
// of work. A higher priority would take time away from the very programs that are watched. A short slice does not: the
// share stays what it is, only the deadline, by which the scheduler chooses (EEVDF), comes sooner.
#include "slice.h"

#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS 300000 // about what one record, one answer or one frame takes

void slice_short(void)
{
    struct sched_attr attr = {.size = sizeof(attr)};
    if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) != 0 ||
        attr.sched_policy != SCHED_NORMAL)
        return; // whoever chose another policy knows why
    attr.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
    attr.sched_runtime = SLICE_NS;
    syscall(SYS_sched_setattr, 0, &attr, 0); // where it is refused we wait like all others
}
