// The time for an answer is over, the caller goes on without it, and the work goes on, too.
#include "gallery.h"

static int64_t build_report(void *arg)
{
    int r = 0;
    (void)arg;
    for (int part = 0; part < 30 && r == 0; part++)
        r = ls_sleep(LS_MSEC(100));
    return r;
}

static int64_t request_wrong(void *arg)
{
    ls_task report = ls_spawn(build_report, arg);
    int r = ls_wait(report, LS_MSEC(300));
    if (r == -ETIMEDOUT) {
        check(ls_sleep(LS_MSEC(2600)), "sleep"); // answers "later", serves others
        int64_t late = ls_await(report);
        return late < 0 ? late : 0;
    }
    return r < 0 ? r : ls_await(report);
}

static int64_t request_cured(void *arg)
{
    int64_t r = ls_await_for(ls_spawn(build_report, arg), LS_MSEC(300));
    if (r == -ETIMEDOUT)
        return ls_sleep(LS_MSEC(2600));
    return r;
}

static int64_t serve(ls_fn request)
{
    ls_group *group;
    check(ls_group_open(&group, LS_FAIL_FAST, 10), "group");
    while (ls_check() == 0) {
        check(ls_group_spawn(group, request, NULL, NULL).id, "spawn");
        check(ls_sleep(LS_MSEC(1500)), "sleep");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return serve(request_wrong);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return serve(request_cured);
}

const struct exhibit task_timeout_runs_on = {
    "task-timeout-runs-on", "a wait times out and the work that it waited for goes on", wrong,
    cured, false};
