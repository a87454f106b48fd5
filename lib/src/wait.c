// How a task waits, is woken, and is interrupted; deadlines and shields. The rules are in internal.h.
#include "fast.h"

#include <stdlib.h>

int ls__may_wait(struct task *t, const struct wait *w)
{
    return may_wait(t, w->held, w->timeout_ns);
}

int ls__park(struct task *t, struct wait *w)
{
    return park(t, w);
}

void ls__wake(struct task *t, int status)
{
    struct ls_loop *l = t->loop;
    if (!t->wait_kind)
        return;
    wake(t->loop, t, status);
    if (!l->busy_since_ns) // by a callback in the poll: so the wait has ended
        ls__busy(l);
}

static void abort_wait(struct task *t, int why)
{
    void (*abort)(struct task *, int) = t->wait_abort;
    t->wait_abort = NULL; // once
    if (abort)
        abort(t, why);
}

// The timer of a call has fired.
void ls__call_timeout(struct timer *timer)
{
    struct task *t = list_entry(timer, struct task, timer);
    fetch_to_run(t);
    abort_wait(t, -ETIMEDOUT);
}

static int interrupt_status(const struct task *t)
{
    if (cancel_requested(t) && t->shields == 0)
        return -ECANCELED;
    for (const struct deadline *d = t->deadline; d; d = d->outer)
        if (d->expired && d->shield >= t->shields)
            return -ETIMEDOUT;
    return 0;
}

void ls__interrupt(struct task *t)
{
    t->interrupt = interrupt_status(t);
    if (t->interrupt && t->wait_kind && !t->wait_held)
        abort_wait(t, t->interrupt);
}

static void expire(struct deadline *d)
{
    struct task *t = d->task;
    timer_cancel(&d->timer);
    d->expired = true;
    t->flags |= LS_ABI_TIMED_OUT;
    slot_show_flags(t);
    if (unlikely(t->loop->observe))
        ls__observe_timed_out(t);
}

static void deadline_fired(struct timer *timer)
{
    struct deadline *d = list_entry(timer, struct deadline, timer);
    expire(d);
    ls__interrupt(d->task);
}

// A task that computes for long never lets the timers run: look at the clock.
int ls__interrupt_status(struct task *t)
{
    if (t->deadline && !t->interrupt) {
        int64_t now = clock_ns();
        for (struct deadline *d = t->deadline; d; d = d->outer)
            if (!d->expired && d->at_ns <= now)
                expire(d);
        t->interrupt = interrupt_status(t);
    }
    return t->interrupt;
}

int ls_check_at(struct ls_site *site)
{
    struct task *t = task_current();
    return t ? ls__interrupt_status(t) : ls__not_in_task(site, "ls_check");
}

// ---- queues ----

void ls__waiter_abort(struct task *t, int why)
{
    struct waiter *waiter = t->wait_op;
    list_del(&waiter->link);
    wake(t->loop, t, why);
}

int ls__wait_in(struct list *queue, struct task *t, struct wait *w)
{
    struct waiter waiter = {.task = t};
    int r = may_wait(t, w->held, w->timeout_ns);
    if (r < 0)
        return r;
    list_add_tail(queue, &waiter.link);
    return park_at(t->loop, t, (uint8_t)w->kind, w->object, w->site, w->timeout_ns,
                   ls__waiter_abort, &waiter, w->held);
}

struct task *ls__wake_first(struct list *queue, int status)
{
    struct list *node = list_pop(queue);
    if (!node)
        return NULL;
    struct task *t = list_entry(node, struct waiter, link)->task;
    wake(t->loop, t, status);
    return t;
}

// ---- yield and sleep ----

int ls_yield_at(struct ls_site *site)
{
    struct ls_loop *l = ls__loop;
    struct task *t;
    if (unlikely(!l || !(t = l->current)))
        return ls__not_in_task(site, "ls_yield");
    if (unlikely(t->interrupt))
        return t->interrupt;
    // One store, and the kind has no object: whole without the sequence.
    slot_set_state(t->slot, LS_ABI_READY, LS_ABI_WAIT_YIELD, t->flags, site_id(site));
    ready_push(l, t);
    suspend(l, t);
    return this_task()->interrupt;
}

// The call's own timeout is the wake-up; an interrupt comes through ls__interrupt, which has set t->interrupt.
static void sleep_abort(struct task *t, int why)
{
    wake(t->loop, t, t->interrupt ? t->interrupt : (why == -ETIMEDOUT ? 0 : why));
}

int ls_sleep_at(struct ls_site *site, int64_t ns)
{
    struct task *t = task_current();
    if (unlikely(!t))
        return ls__not_in_task(site, "ls_sleep");
    if (ns == 0)
        return ls_yield_at(site);
    if (unlikely(t->interrupt))
        return t->interrupt;
    uint64_t until = ns < 0 ? 0 : (uint64_t)(t->loop->now_ns + ns);
    return park_at(t->loop, t, LS_ABI_WAIT_SLEEP, until, site, ns, sleep_abort, NULL, false);
}

// ---- deadlines and shields ----

static void show_deadline(const struct task *t)
{
    __atomic_store_n(&t->slot->deadline_ns, t->deadline ? (uint64_t)t->deadline->at_ns : 0,
                     __ATOMIC_RELAXED);
}

static struct deadline *new_deadline(struct ls_loop *l)
{
    struct deadline *d = l->free_deadlines;
    if (likely(d != NULL)) {
        l->free_deadlines = d->outer;
        return d;
    }
    d = malloc(sizeof(*d));
    if (d)
        timer_init(&d->timer, deadline_fired);
    return d;
}

static void pop_deadline(struct task *t)
{
    struct deadline *d = t->deadline;
    timer_cancel(&d->timer);
    t->deadline = d->outer;
    d->outer = t->loop->free_deadlines;
    t->loop->free_deadlines = d;
    show_deadline(t);
}

int ls_deadline_begin_at(struct ls_site *site, struct ls_deadline *deadline, int64_t timeout_ns)
{
    struct task *t = task_current();
    deadline->opaque[0] = NULL;
    if (!t)
        return ls__not_in_task(site, "ls_deadline_begin");
    struct ls_loop *l = t->loop;
    struct deadline *d = new_deadline(l);
    if (!d)
        return -ENOMEM;
    deadline->opaque[0] = d;
    d->task = t;
    d->outer = t->deadline;
    d->shield = t->shields;
    d->expired = false;
    d->at_ns = INT64_MAX;
    t->untidy = true;
    t->deadline = d;
    if (timeout_ns >= 0) {
        int64_t now = clock_ticks_to_ns(&l->clock, clock_ticks());
        if (__builtin_add_overflow(now, timeout_ns, &d->at_ns))
            d->at_ns = INT64_MAX;
        timer_arm_dated(&l->wheel, &d->timer, d->at_ns);
    }
    if (timeout_ns == 0) {
        expire(d);
        t->interrupt = interrupt_status(t);
    }
    show_deadline(t);
    return 0;
}

int ls_deadline_end_at(struct ls_site *site, struct ls_deadline *deadline)
{
    struct task *t = task_current();
    struct deadline *d = deadline->opaque[0];
    if (!t || !d || t->deadline != d)
        return ls__misuse(site, -EINVAL,
                          "ls_deadline_end: not the innermost deadline of this task");
    bool expired = d->expired;
    deadline->opaque[0] = NULL;
    pop_deadline(t);
    if (unlikely(expired))
        t->interrupt = interrupt_status(t);
    return expired ? -ETIMEDOUT : 0;
}

void ls__deadlines_abandoned(struct task *t)
{
    if (t->deadline)
        ls__misuse(t->spawn_site, -EINVAL, "task \"%s\" returned without ls_deadline_end",
                   ls__task_label(t));
    if (t->shields)
        ls__misuse(t->spawn_site, -EINVAL, "task \"%s\" returned without ls_shield_end",
                   ls__task_label(t));
    while (t->deadline)
        pop_deadline(t);
    t->shields = 0;
    t->interrupt = interrupt_status(t);
}

int ls_shield_begin_at(struct ls_site *site)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_shield_begin");
    t->untidy = true;
    t->shields++;
    t->flags |= LS_ABI_SHIELDED;
    slot_show_flags(t);
    t->interrupt = interrupt_status(t);
    return 0;
}

int ls_shield_end_at(struct ls_site *site)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_shield_end");
    if (t->shields == 0)
        return ls__misuse(site, -EINVAL, "ls_shield_end without ls_shield_begin");
    if (--t->shields == 0) {
        t->flags &= (uint16_t)~LS_ABI_SHIELDED;
        slot_show_flags(t);
        if (cancel_requested(t)) // it was held back from the children, too
            ls__task_cancel(t);
    }
    t->interrupt = interrupt_status(t);
    return ls__interrupt_status(t);
}
