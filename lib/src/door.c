// The doors for other threads: a lock-free inbox, and tickets for tasks spawned from outside.
//
// Letters are pushed newest first and taken all at once. Only who finds the inbox empty wakes the loop.
#include "fast.h"

#include <pthread.h>
#include <stdlib.h>

struct letter {
    struct letter *next;
    void (*fn)(void *arg);
    void (*refuse)(void *arg); // the loop is closing; may be NULL
    void *arg;
};

static struct letter *take_all(struct door *door)
{
    struct letter *newest = atomic_exchange(&door->inbox, NULL), *oldest = NULL;
    while (newest) {
        struct letter *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void deliver(struct ls_loop *l, bool refused)
{
    struct letter *letter = take_all(&l->door);
    while (letter) {
        struct letter *next = letter->next;
        if (!refused)
            letter->fn(letter->arg);
        else if (letter->refuse)
            letter->refuse(letter->arg);
        free(letter);
        letter = next;
    }
}

static void on_async(uv_async_t *async)
{
    struct ls_loop *l = async->data;
    if (!l->busy_since_ns)
        ls__busy(l);
    deliver(l, false);
}

int ls__door_open(struct ls_loop *l)
{
    atomic_init(&l->door.inbox, NULL);
    atomic_init(&l->door.shut, false);
    int r = uv_async_init(l->uv, &l->door.async, on_async);
    l->door.async.data = l;
    return r;
}

void ls__door_shut(struct ls_loop *l)
{
    atomic_store(&l->door.shut, true);
    deliver(l, true);
}

static int post(ls_loop *l, void (*fn)(void *), void (*refuse)(void *), void *arg)
{
    if (atomic_load(&l->door.shut))
        return -ESHUTDOWN;
    struct letter *letter = malloc(sizeof(*letter));
    if (!letter)
        return -ENOMEM;
    *letter = (struct letter){.fn = fn, .refuse = refuse, .arg = arg};
    struct letter *head = atomic_load(&l->door.inbox);
    do
        letter->next = head;
    while (!atomic_compare_exchange_weak(&l->door.inbox, &head, letter));
    if (!head)
        uv_async_send(&l->door.async);
    return 0;
}

int ls_post(ls_loop *loop, void (*fn)(void *arg), void *arg)
{
    return post(loop, fn, NULL, arg);
}

// ---- tickets ----

struct ls_ticket {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int refs; // the thread's and the loop's
    bool done;
    int64_t result;
    ls_loop *loop;
    struct ls_site *site;
    ls_fn fn;
    void *arg;
    ls_task task; // the loop's thread only
    bool dropped;
};

static void unref_ticket(ls_ticket *k)
{
    pthread_mutex_lock(&k->lock);
    bool last = --k->refs == 0;
    pthread_mutex_unlock(&k->lock);
    if (!last)
        return;
    pthread_cond_destroy(&k->ended);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static bool end_ticket(ls_ticket *k, int64_t result)
{
    pthread_mutex_lock(&k->lock);
    bool read = !k->dropped;
    k->done = true;
    k->result = result;
    pthread_cond_broadcast(&k->ended);
    pthread_mutex_unlock(&k->lock);
    unref_ticket(k);
    return read;
}

static void on_task_end(struct task *t, void *ctx)
{
    if (end_ticket(ctx, t->result))
        t->state = LS_ABI_DONE; // somebody reads the error
}

static void start_ticket(void *arg)
{
    ls_ticket *k = arg;
    struct ls_loop *l = ls__loop;
    k->task =
        l->closing ? (ls_task){-ESHUTDOWN} : ls__task_new(l, k->site, k->fn, k->arg, NULL, NULL);
    if (k->task.id < 0) {
        end_ticket(k, k->task.id);
        return;
    }
    struct task *t = task_of(l, k->task);
    t->flags |= LS_ABI_DETACHED;
    slot_show_flags(t);
    l->record->detached++;
    t->on_end = on_task_end;
    t->on_end_ctx = k;
}

static void refuse_ticket(void *arg)
{
    end_ticket(arg, -ESHUTDOWN);
}

static ls_ticket *new_ticket(struct ls_site *site, ls_loop *loop, ls_fn fn, void *arg)
{
    pthread_condattr_t monotonic;
    ls_ticket *k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&k->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    k->refs = 2;
    k->loop = loop;
    k->site = site;
    k->fn = fn;
    k->arg = arg;
    return k;
}

int ls_spawn_from_thread_at(struct ls_site *site, ls_loop *loop, ls_fn fn, void *arg,
                            ls_ticket **ticket)
{
    if (ticket)
        *ticket = NULL;
    ls_ticket *k = new_ticket(site, loop, fn, arg);
    if (!k)
        return -ENOMEM;
    int r = post(loop, start_ticket, refuse_ticket, k);
    if (r < 0) {
        unref_ticket(k);
        unref_ticket(k);
        return r;
    }
    if (ticket)
        *ticket = k;
    else
        ls_ticket_drop(k);
    return 0;
}

static struct timespec at(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

int ls_ticket_wait(ls_ticket *k, int64_t *result, int64_t timeout_ns)
{
    if (ls__loop && ls__loop == k->loop)
        return ls__misuse(k->site, -EDEADLK, "ls_ticket_wait on the loop's own thread");
    int64_t until;
    if (__builtin_add_overflow(clock_ns(), timeout_ns, &until))
        until = INT64_MAX;
    struct timespec end = at(until);
    int r = 0;
    pthread_mutex_lock(&k->lock);
    while (!k->done && r == 0)
        r = timeout_ns < 0 ? pthread_cond_wait(&k->ended, &k->lock)
                           : pthread_cond_timedwait(&k->ended, &k->lock, &end);
    bool done = k->done;
    if (done && result)
        *result = k->result;
    pthread_mutex_unlock(&k->lock);
    if (!done)
        return -ETIMEDOUT;
    unref_ticket(k);
    return 0;
}

static void cancel_ticket(void *arg)
{
    ls_ticket *k = arg;
    struct task *t = k->task.id > 0 ? task_of(ls__loop, k->task) : NULL;
    if (t && !task_ended(t))
        ls__task_cancel(t);
    unref_ticket(k);
}

static void forget_cancel(void *arg)
{
    unref_ticket(arg);
}

int ls_ticket_cancel(ls_ticket *k)
{
    pthread_mutex_lock(&k->lock);
    k->refs++;
    bool done = k->done;
    pthread_mutex_unlock(&k->lock);
    int r = done ? -ESRCH : post(k->loop, cancel_ticket, forget_cancel, k);
    if (r < 0)
        unref_ticket(k);
    return r;
}

void ls_ticket_drop(ls_ticket *k)
{
    if (!k)
        return;
    pthread_mutex_lock(&k->lock);
    k->dropped = true;
    pthread_mutex_unlock(&k->lock);
    unref_ticket(k);
}
