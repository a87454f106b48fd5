// A task looks again and again whether something has happened, instead of waiting for it.
#include "gallery.h"

struct build {
    ls_event *finished;
    bool done;
};

static int64_t compile(void *arg)
{
    struct build *b = arg;
    int r = ls_sleep(LS_MSEC(600));
    b->done = true;
    return r < 0 ? r : ls_event_set(b->finished);
}

static int64_t watch_wrong(void *arg)
{
    const struct build *b = arg;
    int r = 0;
    while (r == 0 && !b->done)
        r = ls_yield();
    return r;
}

static int64_t watch_cured(void *arg)
{
    const struct build *b = arg;
    return ls_event_wait(b->finished, LS_FOREVER);
}

static int64_t build_again(ls_fn watch)
{
    while (ls_check() == 0) {
        struct build b = {0};
        check(ls_event_new(&b.finished), "event");
        ls_task compiler = ls_spawn(compile, &b), watcher = ls_spawn(watch, &b);
        check(ls_await(watcher), "watch");
        check(ls_await(compiler), "compile");
        check(ls_event_free(b.finished), "event");
        check(ls_sleep(LS_MSEC(400)), "sleep");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return build_again(watch_wrong);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return build_again(watch_cured);
}

const struct exhibit task_self_wake = {"task-self-wake",
                                       "a task yields in a circle until something has happened",
                                       wrong, cured, false};
