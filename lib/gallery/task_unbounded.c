// A task for each message as it comes: when the backend is slower than the queue, they pile up.
#include "gallery.h"

#define BACKEND_AT_ONCE 10
#define BACKEND_NS      LS_MSEC(100)
#define BURST_NS        LS_MSEC(20)
#define RESTART_NS      LS_SEC(300) // the consumer begins anew, so that memory does not run out

static ls_sem *backend;

static int64_t handle_message(void *arg)
{
    int r = ls_sem_acquire(backend, LS_FOREVER);
    if (r < 0)
        return r;
    r = ls_sleep(BACKEND_NS);
    ls_sem_release(backend);
    return r < 0 ? r : (intptr_t)arg;
}

static void consume(uint32_t limit)
{
    int64_t until = ls_now() + RESTART_NS;
    long burst = 6 + sysconf(_SC_NPROCESSORS_ONLN) / 2; // a machine with more cores takes more
    ls_group *group;
    check(ls_group_open(&group, LS_FAIL_FAST, limit), "group");
    while (ls_now() < until) {
        for (long i = 0; i < burst; i++)
            check(ls_group_spawn(group, handle_message, NULL, NULL).id, "spawn");
        check(ls_sleep(BURST_NS), "sleep");
    }
    ls_group_cancel(group);
    int64_t r = ls_group_wait(group);
    check(r == -ECANCELED ? 0 : r, "messages");
}

static int64_t consume_for_ever(uint32_t limit)
{
    check(ls_sem_new(&backend, BACKEND_AT_ONCE), "backend");
    while (ls_check() == 0)
        consume(limit);
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return consume_for_ever(0);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return consume_for_ever(2 * BACKEND_AT_ONCE);
}

const struct exhibit task_unbounded = {
    "task-unbounded", "a task is spawned for each message, however many are still at work", wrong,
    cured, false};
