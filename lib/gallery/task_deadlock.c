// Two transfers lock the same two accounts in opposite order.
#include "gallery.h"

struct account {
    int number;
    ls_mutex *lock;
};

struct transfer {
    struct account *from, *to;
    bool in_order;
};

static int lock_both(struct account *first, struct account *second)
{
    int r = ls_mutex_lock(first->lock, LS_SEC(10));
    if (r < 0)
        return r;
    r = ls_sleep(LS_MSEC(20)); // looks the balance up
    if (r == 0)
        r = ls_mutex_lock(second->lock, LS_SEC(10));
    if (r < 0)
        ls_mutex_unlock(first->lock);
    return r;
}

static int64_t transfer(void *arg)
{
    const struct transfer *t = arg;
    bool swap = t->in_order && t->from->number > t->to->number;
    int r = lock_both(swap ? t->to : t->from, swap ? t->from : t->to);
    if (r < 0)
        return r == -ETIMEDOUT ? 0 : r; // tried again another time
    ls_mutex_unlock(t->to->lock);
    ls_mutex_unlock(t->from->lock);
    return 0;
}

static int64_t exchange(void *arg)
{
    struct account a = {.number = 1}, b = {.number = 2};
    bool in_order = arg != NULL;
    struct transfer there = {&a, &b, in_order}, back = {&b, &a, in_order};
    check(ls_mutex_new(&a.lock), "mutex");
    check(ls_mutex_new(&b.lock), "mutex");
    ls_task first = ls_spawn(transfer, &there), second = ls_spawn(transfer, &back);
    int64_t r = ls_await(first), r2 = ls_await(second);
    check(ls_mutex_free(a.lock), "mutex");
    check(ls_mutex_free(b.lock), "mutex");
    return r < 0 ? r : r2;
}

static int64_t exchange_again(void *arg)
{
    ls_group *group;
    check(ls_group_open(&group, LS_FAIL_FAST, 8), "group");
    while (ls_check() == 0) {
        check(ls_group_spawn(group, exchange, arg, NULL).id, "spawn");
        check(ls_sleep(LS_SEC(2)), "sleep");
    }
    return ls_check();
}

static int64_t wrong(void *arg)
{
    (void)arg;
    return exchange_again(NULL);
}

static int64_t cured(void *arg)
{
    (void)arg;
    return exchange_again((void *)1);
}

const struct exhibit task_deadlock = {
    "task-deadlock", "two tasks hold a lock each and wait for the other's", wrong, cured, false};
