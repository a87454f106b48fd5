// Work sent to the background fails, and nobody looks.
#include "gallery.h"

static int64_t refresh_cache(void *arg)
{
    int r = ls_sleep(LS_MSEC(300));
    (void)arg;
    return r < 0 ? r : -ECONNREFUSED;
}

static int64_t wrong(void *arg)
{
    for (;;) {
        check(ls_spawn_detached("refresh", refresh_cache, arg), "spawn");
        check(ls_sleep(LS_MSEC(900)), "sleep");
    }
}

static int64_t cured(void *arg)
{
    int64_t failures = 0;
    for (;;) {
        ls_task refresh = ls_spawn(refresh_cache, arg);
        check(ls_sleep(LS_MSEC(900)), "sleep");
        int64_t r = ls_await(refresh);
        if (r < 0 && ++failures % 4 == 1) // the cache is kept as it is; one failure is no news
            fprintf(stderr, "cache kept: %s\n", strerror((int)-r));
        else if (r < 0)
            check(ls_sleep(LS_SEC(60)), "sleep"); // give the server time
    }
}

const struct exhibit task_error_unread = {
    "task-error-unread", "a detached task fails and its error reaches nobody", wrong, cured, false};
