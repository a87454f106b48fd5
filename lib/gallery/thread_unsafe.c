// A worker thread tells the loop's tasks of its result by calling the runtime directly.
#include "gallery.h"

#include <pthread.h>
#include <time.h>

struct scan {
    ls_loop *loop;
    ls_event *found;
    bool by_the_door;
};

static void tell(void *arg)
{
    ls_event_set(((struct scan *)arg)->found);
}

static void *scan_disk(void *arg)
{
    struct scan *s = arg;
    struct timespec period = {0, 700000000};
    while (nanosleep(&period, NULL) == 0) {
        if (s->by_the_door)
            check(ls_post(s->loop, tell, s), "post");
        else
            ls_event_set(s->found);
    }
    return NULL;
}

static int64_t wait_for_scans(bool by_the_door)
{
    struct scan s = {.loop = ls_loop_current(), .by_the_door = by_the_door};
    pthread_t thread;
    check(ls_event_new(&s.found), "event");
    check(-pthread_create(&thread, NULL, scan_disk, &s), "thread");
    pthread_detach(thread);
    while (ls_check() == 0) {
        int r = ls_event_wait(s.found, LS_SEC(1));
        check(r == -ETIMEDOUT ? 0 : r, "wait");
        check(ls_event_clear(s.found), "event");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return wait_for_scans(false);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return wait_for_scans(true);
}

const struct exhibit thread_unsafe = {"thread-unsafe",
                                      "a thread calls the loop's objects without the door for it",
                                      wrong, cured, true};
