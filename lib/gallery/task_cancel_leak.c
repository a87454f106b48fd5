// An upload is cancelled between opening its spool file and closing it.
#include "gallery.h"

static int64_t upload_wrong(void *arg)
{
    int fd = spool_open();
    (void)arg;
    if (fd < 0)
        return fd;
    spool_forget(fd);
    int r = ls_sleep(LS_SEC(10)); // the client is slow
    if (r < 0)
        return r;
    return 0;
}

static int64_t upload_cured(void *arg)
{
    int fd = ls_own_fd(spool_open());
    (void)arg;
    if (fd < 0)
        return fd;
    return ls_sleep(LS_SEC(10));
}

static int64_t cancel_again_and_again(ls_fn upload)
{
    while (ls_check() == 0) {
        ls_task t = ls_spawn(upload, NULL);
        check(ls_sleep(LS_MSEC(400)), "sleep");
        check(ls_cancel(t), "cancel");
        int64_t r = ls_await(t);
        check(r == -ECANCELED ? 0 : r, "upload");
        check(ls_sleep(LS_MSEC(600)), "sleep");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return cancel_again_and_again(upload_wrong);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return cancel_again_and_again(upload_cured);
}

const struct exhibit task_cancel_leak = {"task-cancel-leak",
                                         "a cancelled task leaves the file open that it had opened",
                                         wrong, cured, false};
