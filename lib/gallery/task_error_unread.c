// Work sent to the background fails at times, and nobody looks.
#include "gallery.h"

static unsigned refreshes;

static int refresh_cache(void)
{
    int r = ls_sleep(LS_MSEC(300));
    if (r < 0)
        return r;
    return refreshes++ % 21 == 4 ? -ECONNREFUSED : 0;
}

static int64_t refresh_wrong(void *arg)
{
    (void)arg;
    return refresh_cache();
}

static int64_t refresh_cured(void *arg)
{
    int r = refresh_cache();
    (void)arg;
    if (r == -ECONNREFUSED) {
        fprintf(stderr, "the cache is kept as it is: %s\n", strerror(-r));
        return 0;
    }
    return r;
}

static int64_t refresh_again(ls_fn refresh)
{
    while (ls_check() == 0) {
        check(ls_spawn_detached("refresh", refresh, NULL), "spawn");
        check(ls_sleep(LS_MSEC(90)), "sleep");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return refresh_again(refresh_wrong);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return refresh_again(refresh_cured);
}

const struct exhibit task_error_unread = {
    "task-error-unread", "a detached task fails and its error reaches nobody", wrong, cured, false};
