// Semaphore, mutex, event, condition. What is given up goes straight to the first waiter: nobody can
// overtake it, and a wake-up cannot be lost to a cancel.
#include "fast.h"

#include <stdlib.h>

int ls__object_new(struct ls_site *site, size_t size, const char *kind, void *ret)
{
    struct ls_loop *l = ls__loop;
    *(void **)ret = NULL;
    if (!l)
        return ls__misuse(site, -EPERM, "%s: cannot be made on a thread without a loop", kind);
    struct object *o = calloc(1, size);
    if (!o)
        return -ENOMEM;
    o->loop = l;
    o->kind = kind;
    list_add_tail(&l->objects, &o->link);
    *(void **)ret = o;
    return 0;
}

void ls__object_free(struct object *o)
{
    list_unlink(&o->link);
    free(o);
}

// Looks for what every call must look for: the calling task, and the loop of the object.
static int enter(struct ls_site *site, const char *call, const struct object *o, struct task **ret)
{
    *ret = task_current();
    if (unlikely(!*ret))
        return ls__not_in_task(site, call);
    return likely((*ret)->loop == o->loop) ? 0 : ls__wrong_loop_of(o->loop, site, call);
}

static int enter_anywhere(struct ls_site *site, const char *call, const struct object *o)
{
    return likely(o->loop == ls__loop) ? 0 : ls__wrong_loop_of(o->loop, site, call);
}

static int free_object(struct ls_site *site, struct object *o, const struct list *waiters,
                       const char *call)
{
    int r = enter_anywhere(site, call, o);
    if (r < 0)
        return r;
    if (!list_empty(waiters))
        return ls__misuse(site, -EBUSY, "%s: a task waits on it", call);
    ls__object_free(o);
    return 0;
}

// ---- semaphore ----

struct ls_sem {
    struct object base;
    struct list waiters;
    uint32_t count;
    bool lock;       // made with one permit, and always released by the task that had it
    uint64_t holder; // of a lock, its id: readers of the live table look for it at wait_object
};

int ls_sem_new_at(struct ls_site *site, ls_sem **ret, uint32_t count)
{
    int r = ls__object_new(site, sizeof(**ret), "semaphore", ret);
    if (r == 0) {
        (*ret)->count = count;
        (*ret)->lock = count == 1;
    }
    return r;
}

int ls_sem_free_at(struct ls_site *site, ls_sem *s)
{
    return s ? free_object(site, &s->base, &s->waiters, "ls_sem_free") : 0;
}

int ls_sem_acquire_at(struct ls_site *site, ls_sem *s, int64_t timeout_ns)
{
    struct task *t;
    int r = enter(site, "ls_sem_acquire", &s->base, &t);
    if (unlikely(r < 0 || (r = t->interrupt) < 0))
        return r;
    if (likely(s->count > 0)) {
        s->count--;
        s->holder = s->lock ? (uint64_t)t->id : 0;
        return 0;
    }
    struct wait w = {.kind = LS_ABI_WAIT_SEM,
                     .object = (uintptr_t)&s->holder,
                     .site = site,
                     .timeout_ns = timeout_ns};
    return ls__wait_in(&s->waiters, t, &w);
}

// Released by another than its holder it is a signal, not a lock: then nobody can say who holds it.
static void pass_lock(ls_sem *s, const struct task *next)
{
    const struct task *t = task_current();
    s->lock = t && s->holder == (uint64_t)t->id;
    s->holder = s->lock && next ? (uint64_t)next->id : 0;
}

int ls_sem_release_at(struct ls_site *site, ls_sem *s)
{
    int r = enter_anywhere(site, "ls_sem_release", &s->base);
    if (unlikely(r < 0))
        return r;
    const struct task *next = ls__wake_first(&s->waiters, 0);
    if (s->lock)
        pass_lock(s, next);
    if (next)
        return 0;
    if (s->count == UINT32_MAX)
        return ls__misuse(site, -EOVERFLOW, "ls_sem_release: the count is at its end");
    s->count++;
    return 0;
}

uint32_t ls_sem_count(const ls_sem *s)
{
    return s->count;
}

// ---- mutex ----

struct ls_mutex {
    struct object base;
    struct list waiters;
    struct list held; // in the owner's mutexes
    struct task *owner;
    uint64_t holder; // its id: readers of the live table look for it at wait_object
};

int ls_mutex_new_at(struct ls_site *site, ls_mutex **ret)
{
    return ls__object_new(site, sizeof(**ret), "mutex", ret);
}

int ls_mutex_free_at(struct ls_site *site, ls_mutex *m)
{
    if (m && m->owner && m->base.loop == ls__loop)
        return ls__misuse(site, -EBUSY, "ls_mutex_free: locked by task \"%s\"",
                          ls__task_label(m->owner));
    return m ? free_object(site, &m->base, &m->waiters, "ls_mutex_free") : 0;
}

static void take_mutex(ls_mutex *m, struct task *t)
{
    m->owner = t;
    m->holder = (uint64_t)t->id;
    t->untidy = true;
    list_add_tail(&t->mutexes, &m->held);
}

static void pass_mutex(ls_mutex *m)
{
    list_unlink(&m->held);
    m->owner = NULL;
    m->holder = 0;
    struct task *next = ls__wake_first(&m->waiters, 0);
    if (next)
        take_mutex(m, next);
}

static int lock(struct ls_site *site, ls_mutex *m, struct task *t, int64_t timeout_ns, bool held)
{
    if (likely(!m->owner)) {
        take_mutex(m, t);
        return 0;
    }
    struct wait w = {.kind = LS_ABI_WAIT_MUTEX,
                     .object = (uintptr_t)&m->holder,
                     .site = site,
                     .timeout_ns = timeout_ns,
                     .held = held};
    return ls__wait_in(&m->waiters, t, &w);
}

int ls_mutex_lock_at(struct ls_site *site, ls_mutex *m, int64_t timeout_ns)
{
    struct task *t;
    int r = enter(site, "ls_mutex_lock", &m->base, &t);
    if (unlikely(r < 0 || (r = t->interrupt) < 0))
        return r;
    if (unlikely(m->owner == t))
        return ls__misuse(site, -EDEADLK, "ls_mutex_lock: the caller has locked it");
    return lock(site, m, t, timeout_ns, false);
}

int ls_mutex_unlock_at(struct ls_site *site, ls_mutex *m)
{
    struct task *t;
    int r = enter(site, "ls_mutex_unlock", &m->base, &t);
    if (unlikely(r < 0))
        return r;
    if (unlikely(m->owner != t))
        return ls__misuse(site, -EPERM, "ls_mutex_unlock: not locked by the caller");
    pass_mutex(m);
    return 0;
}

void ls__mutexes_abandoned(struct task *t)
{
    while (!list_empty(&t->mutexes)) {
        ls__misuse(t->spawn_site, -EPERM, "task \"%s\" ended with a mutex locked: passed on",
                   ls__task_label(t));
        pass_mutex(list_entry(list_first(&t->mutexes), struct ls_mutex, held));
    }
}

// ---- event ----

struct ls_event {
    struct object base;
    struct list waiters;
    bool set;
};

int ls_event_new_at(struct ls_site *site, ls_event **ret)
{
    return ls__object_new(site, sizeof(**ret), "event", ret);
}

int ls_event_free_at(struct ls_site *site, ls_event *e)
{
    return e ? free_object(site, &e->base, &e->waiters, "ls_event_free") : 0;
}

int ls_event_wait_at(struct ls_site *site, ls_event *e, int64_t timeout_ns)
{
    struct task *t;
    int r = enter(site, "ls_event_wait", &e->base, &t);
    if (unlikely(r < 0 || (r = t->interrupt) < 0))
        return r;
    if (e->set)
        return 0;
    struct wait w = {
        .kind = LS_ABI_WAIT_EVENT, .object = (uintptr_t)e, .site = site, .timeout_ns = timeout_ns};
    return ls__wait_in(&e->waiters, t, &w);
}

int ls_event_set_at(struct ls_site *site, ls_event *e)
{
    int r = enter_anywhere(site, "ls_event_set", &e->base);
    if (r < 0)
        return r;
    e->set = true;
    while (ls__wake_first(&e->waiters, 0))
        continue;
    return 0;
}

int ls_event_clear_at(struct ls_site *site, ls_event *e)
{
    int r = enter_anywhere(site, "ls_event_clear", &e->base);
    if (r == 0)
        e->set = false;
    return r;
}

bool ls_event_is_set(const ls_event *e)
{
    return e->set;
}

// ---- condition ----

struct ls_cond {
    struct object base;
    struct list waiters;
};

int ls_cond_new_at(struct ls_site *site, ls_cond **ret)
{
    return ls__object_new(site, sizeof(**ret), "condition", ret);
}

int ls_cond_free_at(struct ls_site *site, ls_cond *c)
{
    return c ? free_object(site, &c->base, &c->waiters, "ls_cond_free") : 0;
}

int ls_cond_wait_at(struct ls_site *site, ls_cond *c, ls_mutex *m, int64_t timeout_ns)
{
    struct task *t;
    int r = enter(site, "ls_cond_wait", &c->base, &t);
    if (unlikely(r < 0 || (r = t->interrupt) < 0))
        return r;
    if (m->owner != t)
        return ls__misuse(site, -EPERM, "ls_cond_wait: the mutex is not locked by the caller");
    struct wait w = {
        .kind = LS_ABI_WAIT_COND, .object = (uintptr_t)c, .site = site, .timeout_ns = timeout_ns};
    pass_mutex(m);
    r = ls__wait_in(&c->waiters, t, &w);
    lock(site, m, t, LS_FOREVER, true); // whatever happens, the caller relies on having it
    return r;
}

int ls_cond_signal_at(struct ls_site *site, ls_cond *c)
{
    int r = enter_anywhere(site, "ls_cond_signal", &c->base);
    if (r == 0)
        ls__wake_first(&c->waiters, 0);
    return r;
}

int ls_cond_broadcast_at(struct ls_site *site, ls_cond *c)
{
    int r = enter_anywhere(site, "ls_cond_broadcast", &c->base);
    while (r == 0 && ls__wake_first(&c->waiters, 0))
        continue;
    return r;
}
