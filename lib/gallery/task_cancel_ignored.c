// A worker takes the cancel for one more error to try again after.
#include "gallery.h"

#define STUBBORN_NS LS_SEC(9)

static int back_off(void)
{
    check(ls_shield_begin(), "shield");
    int r = ls_sleep(LS_MSEC(50));
    ls_shield_end();
    return r;
}

static int64_t poll_mailbox_wrong(void *arg)
{
    int64_t until = ls_now() + STUBBORN_NS;
    (void)arg;
    while (ls_now() < until)
        if (ls_sleep(LS_MSEC(50)) < 0)
            back_off();
    return 0;
}

static int64_t poll_mailbox_cured(void *arg)
{
    int64_t until = ls_now() + STUBBORN_NS;
    (void)arg;
    while (ls_now() < until) {
        int r = ls_sleep(LS_MSEC(50));
        if (r == -ECANCELED)
            return r;
        if (r < 0)
            back_off();
    }
    return 0;
}

static int64_t close_mailbox(void *arg)
{
    ls_fn poll_mailbox = *(ls_fn *)arg;
    ls_task t = ls_spawn(poll_mailbox, NULL);
    check(ls_sleep(LS_MSEC(300)), "sleep");
    check(ls_cancel(t), "cancel");
    int64_t r = ls_await(t);
    return r == -ECANCELED ? 0 : r;
}

static int64_t open_and_close(ls_fn poll_mailbox)
{
    ls_group *group;
    check(ls_group_open(&group, LS_FAIL_FAST, 10), "group");
    while (ls_check() == 0) {
        check(ls_group_spawn(group, close_mailbox, &poll_mailbox, NULL).id, "spawn");
        check(ls_sleep(LS_MSEC(2000)), "sleep");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return open_and_close(poll_mailbox_wrong);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return open_and_close(poll_mailbox_cured);
}

const struct exhibit task_cancel_ignored = {
    "task-cancel-ignored", "a cancelled task catches the cancel and works on", wrong, cured, false};
