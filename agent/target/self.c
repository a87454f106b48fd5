#include "self.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "procfs.h"

static int64_t own_cpu_ns(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL +
           (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

static int64_t own_rss_anon(void)
{
    long kb = procfs_status_number(getpid(), "RssAnon");
    return kb < 0 ? SNAP_UNKNOWN : kb * 1024;
}

// "cpu user nice system idle iowait irq softirq steal ..."
static void read_steal(struct self *s)
{
    char buf[512];
    unsigned long long v[8] = {0}, total = 0;
    if (procfs_read(buf, sizeof(buf), "/proc/stat") <= 0 ||
        sscanf(buf, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
               &v[4], &v[5], &v[6], &v[7]) != 8)
        return;
    for (int i = 0; i < 8; i++)
        total += v[i];
    if (s->total && total > s->total)
        s->steal_ratio = (double)(v[7] - s->steal) / (double)(total - s->total);
    s->steal = v[7];
    s->total = total;
}

void self_push(struct self *s, const struct model *m)
{
    if (s->n == 0)
        s->steal_ratio = NAN;
    read_steal(s);
    s->head = s->n ? (s->head + 1) % (SELF_SECONDS + 1) : 0;
    s->at_ns[s->head] = m->now_ns;
    s->cpu_ns[s->head] = own_cpu_ns() + stacker_cpu_ns(m->stacker);
    if (s->n <= SELF_SECONDS)
        s->n++;
}

static double cpu_ratio(const struct self *s)
{
    if (s->n < 2)
        return NAN;
    int old = (s->head + SELF_SECONDS + 1 - s->n + 1) % (SELF_SECONDS + 1);
    int64_t span = s->at_ns[s->head] - s->at_ns[old];
    return span > 0 ? (double)(s->cpu_ns[s->head] - s->cpu_ns[old]) / (double)span : NAN;
}

void self_fill(const struct self *s, const struct model *m, struct snap *snap)
{
    struct utsname u;
    if (uname(&u) == 0) {
        snap->host.hostname = snap_strdup(snap, u.nodename);
        snap->host.kernel = snap_strdup(snap, u.release);
    }
    snap->host.cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    snap->host.steal_ratio = s->n ? s->steal_ratio : NAN;
    int64_t own = own_rss_anon(), helper = stacker_rss_anon(m->stacker);
    snap->agent = (struct snap_agent){
        .version = LOOPSCOPE_VERSION,
        .backend = snap_strdup(snap, probe_backend(m->probe)),
        .turn_source = snap_strdup(snap, probe_turn_source(m->probe)),
        .turns_estimated = probe_turns_estimated(m->probe),
        .cpu_ratio = cpu_ratio(s),
        .cpu_ns = own_cpu_ns() + stacker_cpu_ns(m->stacker),
        .rss_bytes = own == SNAP_UNKNOWN || helper < 0 ? own : own + helper,
        .lost_records = m->lost_records,
        .torn_stacks = m->torn_stacks,
        .stacks = m->stacks,
        .drift = SNAP_UNKNOWN,
    };
}
