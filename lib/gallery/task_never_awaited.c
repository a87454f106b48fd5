// A task is started and its handle dropped: nobody learns how it ended.
#include "gallery.h"

static int64_t send_receipt(void *arg)
{
    (void)arg;
    return ls_sleep(LS_MSEC(20));
}

static int64_t session_wrong(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        ls_task receipt = ls_spawn(send_receipt, NULL);
        (void)receipt;
        check(ls_sleep(LS_MSEC(700)), "sleep");
    }
    return 0;
}

static int64_t session_cured(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        ls_task receipt = ls_spawn(send_receipt, NULL);
        check(ls_sleep(LS_MSEC(700)), "sleep");
        check(ls_await(receipt), "receipt");
    }
    return 0;
}

static int64_t wrong(void *arg)
{
    while (ls_check() == 0)
        check(ls_await(ls_spawn(session_wrong, arg)), "session");
    return ls_check();
}

static int64_t cured(void *arg)
{
    while (ls_check() == 0)
        check(ls_await(ls_spawn(session_cured, arg)), "session");
    return ls_check();
}

const struct exhibit task_never_awaited = {
    "task-never-awaited", "a task is spawned and its handle dropped", wrong, cured, false};
