// More slow calls than the pool has workers: what needs a worker waits, while the loop has nothing to do.
#include "gallery.h"

#include <time.h>

#define REPORTS 8

// A client library that knows no other way than to block until its server has answered.
static int64_t query(void *arg)
{
    const struct timespec answer = {0, 250000000};
    (void)arg;
    return nanosleep(&answer, NULL) < 0 ? -errno : 0;
}

static int64_t report_wrong(void *arg)
{
    (void)arg;
    return ls_offload(query, NULL, LS_FOREVER);
}

// The same server, asked by a client that waits on the loop.
static int64_t report_cured(void *arg)
{
    const uint16_t *port = arg;
    ls_stream *s;
    char line[8];
    int r = ls_tcp_connect(&s, "127.0.0.1", *port, LS_SEC(5));
    if (r == 0)
        r = ls_write(s, "report\n", 7, LS_SEC(5));
    ssize_t n = r == 0 ? ls_read_until(s, line, sizeof(line), '\n', LS_SEC(5)) : r;
    return n < 0 ? n : 0;
}

static int64_t report_again(ls_fn report, void *arg, int at_once)
{
    while (ls_check() == 0) {
        ls_group *group;
        check(ls_group_open(&group, LS_FAIL_FAST, 0), "group");
        for (int i = 0; i < at_once; i++)
            check(ls_group_spawn(group, report, arg, NULL).id, "spawn");
        check(ls_group_wait(group), "report");
        check(ls_sleep(LS_MSEC(300)), "sleep");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return report_again(report_wrong, NULL, REPORTS);
}

static int64_t cured(void *arg)
{
    uint16_t port = service_start(30);
    (void)arg;
    return report_again(report_cured, &port, REPORTS);
}

const struct exhibit pool_exhausted = {
    "pool-exhausted", "slow calls take all workers of the pool, others wait", wrong, cured, false};
