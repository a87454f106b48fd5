// The ticks that sample running threads: a clock of each CPU on which a trusted thread may run.
//
// An event of the thread itself would be the obvious choice, but the kernel sets and clears such a clock at
// each of the thread's context switches. In a busy virtual machine that costs more than all our programs (8 to 10 % of
// a redis GET, measured); the clock of a CPU costs nobody more than 100 short interrupts a second.
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf.h"
#include "perf.h"

#define AGAIN_NS (5 * NS_PER_S) // a CPU may have been offline, a thread may have got another mask

void ticks_init(struct ticks *ticks)
{
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        ticks->fds[cpu] = -1;
}

void ticks_close(struct ticks *ticks)
{
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (ticks->fds[cpu] >= 0)
            close(ticks->fds[cpu]);
        ticks->fds[cpu] = -1;
    }
}

static const char *refused(int err)
{
    if (err == -EMFILE || err == -ENFILE)
        return "too few file descriptors for an event a CPU (ulimit -n)";
    return "perf_event_open is refused";
}

// Blind is a thread that no CPU's clock can sample; a CPU that is offline does no harm.
void ticks_cover(struct probe *p, struct thread *t)
{
    struct bpf_backend *b = p->backend;
    cpu_set_t may;
    t->ticks_again_ns = p->now_ns + AGAIN_NS;
    if (sched_getaffinity(t->tid, sizeof(may), &may)) {
        t->blind_why = errno == ESRCH ? NULL : "its CPUs cannot be told";
        return;
    }
    int open = 0, err = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &may))
            continue;
        int *fd = &b->ticks.fds[cpu];
        if (*fd < 0)
            *fd = perf_open_tick(p->config.opener, cpu, bpf_program__fd(b->skel->progs.on_tick));
        if (*fd >= 0)
            open++;
        else if (*fd != -ENODEV)
            err = *fd;
    }
    t->blind_why = open ? NULL : refused(err);
}
