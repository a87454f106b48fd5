// A request that is refused returns while the upload that it started is still at work: nobody can await it any more.
#include "gallery.h"

static unsigned requests;

static int64_t finish_upload(void *arg)
{
    check(ls_shield_begin(), "shield"); // half an upload is worse than none
    int r = ls_sleep((int64_t)(intptr_t)arg);
    ls_shield_end();
    return r;
}

static int authorise(bool refuse)
{
    int r = ls_sleep(LS_MSEC(100));
    return r < 0 ? r : refuse ? -EACCES : 0;
}

static int64_t request_wrong(void *arg)
{
    bool refuse = requests++ % 50 == 0;
    int64_t takes = refuse ? LS_SEC(12) : LS_MSEC(20);
    ls_task upload = ls_spawn(finish_upload, (void *)(intptr_t)takes);
    int r = authorise(refuse);
    (void)arg;
    if (r == -EACCES)
        return 0; // told to the client
    return r < 0 ? r : ls_await(upload);
}

static int64_t request_cured(void *arg)
{
    bool refuse = requests++ % 50 == 0;
    int64_t takes = refuse ? LS_SEC(12) : LS_MSEC(20);
    ls_task upload = ls_spawn(finish_upload, (void *)(intptr_t)takes);
    int r = authorise(refuse);
    (void)arg;
    int64_t uploaded = ls_await(upload);
    return r < 0 && r != -EACCES ? r : uploaded;
}

static int64_t serve(ls_fn request)
{
    ls_group *group;
    check(ls_group_open(&group, LS_COLLECT_ALL, 20), "group");
    while (ls_check() == 0) {
        check(ls_group_spawn(group, request, NULL, NULL).id, "spawn");
        check(ls_sleep(LS_MSEC(150)), "sleep");
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

const struct exhibit task_orphan = {"task-orphan",
                                    "a task returns while one that it spawned is still at work",
                                    wrong, cured, false};
