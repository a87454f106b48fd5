// A task that uses everything, for the tests that make its n-th await or allocation fail. It checks that whatever
// fails, nothing it opened stays behind and nothing is released twice.
#ifndef COMPOSITE_H
#define COMPOSITE_H

#include "lib_test.h"

#include <fcntl.h>

struct composite {
    ls_sem *sem;
    ls_mutex *mutex;
    ls_chan *chan;
    ls_event *event;
    int open_scopes; // clean-up entries that have not run
};

static int64_t composite_leaf(void *arg)
{
    int r = ls_sleep(LS_USEC(10));
    return r < 0 ? r : (intptr_t)arg;
}

static void composite_undo(void *arg)
{
    struct composite *c = arg;
    ls_yield(); // clean-up may await
    c->open_scopes--;
}

static int64_t composite_sender(void *arg)
{
    struct composite *c = arg;
    uint64_t v = 5;
    for (int i = 0; i < 3; i++) {
        int r = ls_chan_send(c->chan, &v, LS_FOREVER);
        if (r < 0)
            return r;
    }
    return 0;
}

static int composite_receive(struct composite *c)
{
    struct ls_deadline d;
    uint64_t v;
    int r = ls_deadline_begin(&d, LS_SEC(50));
    for (int i = 0; r == 0 && i < 2; i++)
        r = ls_chan_recv(c->chan, &v, LS_FOREVER);
    struct ls_case k = {c->chan, &v, NULL};
    if (r == 0)
        r = ls_select(&k, 1, NULL, LS_SEC(50));
    if (d.opaque[0])
        ls_deadline_end(&d);
    return r;
}

static int composite_locks(struct composite *c)
{
    int r = ls_sem_acquire(c->sem, LS_SEC(50));
    if (r < 0)
        return r;
    r = ls_mutex_lock(c->mutex, LS_SEC(50));
    if (r == 0) {
        r = ls_sleep(LS_USEC(10));
        ls_mutex_unlock(c->mutex);
    }
    ls_sem_release(c->sem);
    return r;
}

static int composite_group(void)
{
    ls_group *g;
    int64_t results[4];
    int r = ls_group_open(&g, LS_FAIL_FAST, 2);
    if (r < 0)
        return r;
    for (int i = 0; i < 4; i++) {
        ls_task t = ls_group_spawn(g, composite_leaf, (void *)1, &results[i]);
        if (t.id < 0) {
            ls_group_cancel(g);
            ls_group_wait(g);
            return (int)t.id;
        }
    }
    return (int)ls_group_wait(g);
}

static int64_t composite_main(void *arg)
{
    static const int key;
    struct composite *c = arg;
    int64_t r;
    if ((r = ls_local_set(&key, c)) < 0 || (r = ls_defer(composite_undo, c)) < 0)
        return r;
    c->open_scopes++;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if ((r = ls_own_fd(fd)) < 0) {
        close(fd);
        return r;
    }
    if (!ls_alloc(100))
        return -ENOMEM;
    ls_task sender = ls_spawn(composite_sender, c);
    if (sender.id < 0)
        return sender.id;
    if ((r = composite_receive(c)) < 0 || (r = ls_await(sender)) < 0)
        return r;
    if ((r = composite_locks(c)) < 0 || (r = composite_group()) < 0)
        return r;
    if ((r = ls_await(ls_spawn(composite_leaf, (void *)3))) < 0)
        return r;
    r = ls_event_wait(c->event, 0);
    return r < 0 ? r : ls_yield();
}

static inline void composite_open(struct composite *c)
{
    memset(c, 0, sizeof(*c));
    assert_int_equal(ls_sem_new(&c->sem, 1), 0);
    assert_int_equal(ls_mutex_new(&c->mutex), 0);
    assert_int_equal(ls_chan_new(&c->chan, sizeof(uint64_t), 0), 0);
    assert_int_equal(ls_event_new(&c->event), 0);
    ls_event_set(c->event);
}

// Nobody waits, nothing is locked, all clean-up has run, whatever happened.
static inline void composite_close(struct composite *c)
{
    assert_int_equal(c->open_scopes, 0);
    assert_int_equal(ls_sem_count(c->sem), 1);
    assert_int_equal(ls_sem_free(c->sem), 0);
    assert_int_equal(ls_mutex_free(c->mutex), 0);
    assert_int_equal(ls_chan_free(c->chan), 0);
    assert_int_equal(ls_event_free(c->event), 0);
}

#endif
