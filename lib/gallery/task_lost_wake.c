// A consumer clears an event after the only signal has come, and waits for a second one.
#include "gallery.h"

struct mailbox {
    ls_event *arrived;
    int letters;
};

static int64_t deliver(void *arg)
{
    struct mailbox *m = arg;
    m->letters++;
    return ls_event_set(m->arrived);
}

static int64_t collect_wrong(void *arg)
{
    struct mailbox *m = arg;
    int r = ls_sleep(LS_MSEC(50)); // busy elsewhere
    if (r < 0 || (r = ls_event_clear(m->arrived)) < 0)
        return r;
    r = ls_event_wait(m->arrived, LS_FOREVER);
    return r < 0 ? r : m->letters--;
}

static int64_t collect_cured(void *arg)
{
    struct mailbox *m = arg;
    int r = ls_sleep(LS_MSEC(50));
    while (r == 0 && m->letters == 0) // what is waited for, not only the news of it
        r = ls_event_wait(m->arrived, LS_FOREVER);
    return r < 0 ? r : m->letters--;
}

static int64_t pass_letters(ls_fn collect)
{
    struct mailbox m = {0};
    check(ls_event_new(&m.arrived), "event");
    while (ls_check() == 0) {
        check(ls_sleep(LS_MSEC(100)), "sleep");
        ls_task collector = ls_spawn(collect, &m), postman = ls_spawn(deliver, &m);
        check(ls_await(postman), "deliver");
        check(ls_await(collector), "collect");
        check(ls_event_clear(m.arrived), "event");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return pass_letters(collect_wrong);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return pass_letters(collect_cured);
}

const struct exhibit task_lost_wake = {
    "task-lost-wake", "a task clears an event whose only signal has come, and waits for it", wrong,
    cured, false};
