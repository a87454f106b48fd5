// A request returns on its error path while the upload that it started is still at work: nobody can await it any more.
#include "gallery.h"

static int64_t finish_upload(void *arg)
{
    (void)arg;
    check(ls_shield_begin(), "shield"); // half an upload is worse than none
    int r = ls_sleep(LS_SEC(9));
    ls_shield_end();
    return r;
}

static int authorise(void)
{
    check(ls_sleep(LS_MSEC(100)), "sleep");
    return -EACCES;
}

static int64_t request_wrong(void *arg)
{
    ls_task upload = ls_spawn(finish_upload, arg);
    int r = authorise();
    if (r < 0)
        return r;
    return ls_await(upload);
}

static int64_t request_cured(void *arg)
{
    ls_task upload = ls_spawn(finish_upload, arg);
    int r = authorise();
    int64_t uploaded = ls_await(upload);
    return r < 0 ? r : uploaded;
}

static int64_t answer(void *arg)
{
    ls_fn request = *(ls_fn *)arg;
    int64_t r = ls_await(ls_spawn(request, NULL));
    return r == -EACCES ? 0 : r; // told to the client
}

static int64_t serve(ls_fn request)
{
    ls_group *group;
    check(ls_group_open(&group, LS_FAIL_FAST, 10), "group");
    for (;;) {
        check(ls_group_spawn(group, answer, &request, NULL).id, "spawn");
        check(ls_sleep(LS_SEC(2)), "sleep");
    }
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

const struct exhibit task_orphan = {"task-orphan",
                                    "a task returns while one that it spawned is still at work",
                                    wrong, cured, false};
