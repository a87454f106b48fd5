// A request that is refused returns while the upload that it started is still at work: nobody can await it any more.
#include "gallery.h"

static unsigned requests;

// Half an upload is worse than none: it is not to be cancelled.
static int64_t finish(int64_t takes)
{
    check(ls_shield_begin(), "shield");
    int r = ls_sleep(takes);
    ls_shield_end();
    return r;
}

static int64_t finish_film(void *arg)
{
    (void)arg;
    return finish(LS_SEC(12));
}

static int64_t finish_photo(void *arg)
{
    (void)arg;
    return finish(LS_MSEC(20));
}

static ls_task start_upload(bool film)
{
    if (film)
        return ls_spawn(finish_film, NULL);
    return ls_spawn(finish_photo, NULL);
}

static int authorise(bool refuse)
{
    int r = ls_sleep(LS_MSEC(100));
    return r < 0 ? r : refuse ? -EACCES : 0;
}

static int64_t request_wrong(void *arg)
{
    bool film = requests++ % 50 == 0; // too large for this user
    ls_task upload = start_upload(film);
    int r = authorise(film);
    (void)arg;
    if (r == -EACCES)
        return 0; // told to the client
    return r < 0 ? r : ls_await(upload);
}

static int64_t request_cured(void *arg)
{
    bool film = requests++ % 50 == 0;
    ls_task upload = start_upload(film);
    int r = authorise(film);
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
