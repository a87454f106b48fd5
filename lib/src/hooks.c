// Everything that looks at a task's life: times of steps, the event ring, hooks, USDT probes. Reached only when
// ls_loop.observe says that somebody wants to know.
#include "probes.h"
#include "watch.h"

#include <stdlib.h>

#define TIMED_STEPS 8 // of each turn, when nobody watches
#define LOOK_PERIOD 100000000

#ifdef LS_HAVE_USDT
#define LS_DEFINE_SEMAPHORE(name)                                                                  \
    unsigned short loopscope_##name##_semaphore __attribute__((section(".probes"), used));
LS_PROBES(LS_DEFINE_SEMAPHORE)
#define LS_ADD_USED(name) | LS_PROBE_USED(name)
static bool probes_used(void)
{
    return 0 LS_PROBES(LS_ADD_USED);
}
#else
static bool probes_used(void)
{
    return false;
}
#endif

static inline bool watched(const struct ls_loop *l)
{
    return l->observe & OBSERVE_WATCH;
}

// ---- hooks ----

static void call_hooks(struct task *t, enum ls_hook_kind kind, struct task *other,
                       const struct ls_site *site)
{
    struct ls_loop *l = t->loop;
    struct task *current = l->current;
    struct ls_hook_info info = {.kind = kind,
                                .task = task_handle(t),
                                .other = task_handle(other),
                                .site = site,
                                .name = ls__task_label(t),
                                .result = task_ended(t) ? t->result : 0,
                                .time_ns = l->now_ns};
    bool outermost = !l->in_hooks;
    l->in_hooks = true;
    l->current = NULL; // it must not block
    for (uint32_t i = 0; i < l->nhooks; i++)
        if (l->hooks[i].fn && l->hooks[i].kinds & kind)
            l->hooks[i].fn(&info, l->hooks[i].ctx);
    l->current = current;
    if (!outermost)
        return;
    l->in_hooks = false;
    uint32_t n = 0; // drop those that were removed meanwhile
    for (uint32_t i = 0; i < l->nhooks; i++)
        if (l->hooks[i].fn)
            l->hooks[n++] = l->hooks[i];
    l->nhooks = n;
}

static inline bool hooked(const struct ls_loop *l)
{
    return l->observe & OBSERVE_HOOKS;
}

static void set_observe(struct ls_loop *l, uint32_t bit, bool on)
{
    if (steps_shared(l) > 0) // the reading that they wait for may never come
        read_step(l, l->current);
    l->least_quota = 0;
    if (on)
        l->observe |= bit;
    else
        l->observe &= ~bit;
    ls__drop_quota(l);
}

int ls_hook_add_at(struct ls_site *site, ls_loop *l, unsigned kinds, ls_hook_fn fn, void *ctx)
{
    if (!l || l != ls__loop)
        return ls__wrong_loop(site, "ls_hook_add");
    if (!fn)
        return -EINVAL;
    if (l->nhooks == l->hooks_cap) {
        uint32_t cap = l->hooks_cap ? l->hooks_cap * 2 : 4;
        struct hook *hooks = realloc(l->hooks, cap * sizeof(*hooks));
        if (!hooks)
            return -ENOMEM;
        l->hooks = hooks;
        l->hooks_cap = cap;
    }
    l->hooks[l->nhooks++] = (struct hook){kinds, fn, ctx};
    set_observe(l, OBSERVE_HOOKS, true);
    return 0;
}

int ls_hook_remove_at(struct ls_site *site, ls_loop *l, ls_hook_fn fn, void *ctx)
{
    if (!l || l != ls__loop)
        return ls__wrong_loop(site, "ls_hook_remove");
    int r = -ENOENT;
    uint32_t left = 0;
    for (uint32_t i = 0; i < l->nhooks; i++) {
        if (r < 0 && l->hooks[i].fn == fn && l->hooks[i].ctx == ctx) {
            l->hooks[i].fn = NULL; // forgotten by call_hooks
            r = 0;
        }
        left += l->hooks[i].fn != NULL;
    }
    set_observe(l, OBSERVE_HOOKS, left > 0);
    return r;
}

void ls__hooks_free(struct ls_loop *l)
{
    free(l->hooks);
    l->hooks = NULL;
    l->nhooks = 0;
}

// ---- who is looking ----

static void set_watched(struct ls_loop *l, bool on)
{
    set_observe(l, OBSERVE_WATCH, on);
    uint32_t flags = l->record->flags & ~(uint32_t)LS_ABI_LOOP_WATCHED;
    __atomic_store_n(&l->record->flags, flags | (on ? LS_ABI_LOOP_WATCHED : 0), __ATOMIC_RELAXED);
}

void ls__observe_look(struct ls_loop *l)
{
    l->next_look_ns = l->now_ns + LOOK_PERIOD;
    l->ring = ls__table.rings + (size_t)l->index * TABLE_RING;
    set_watched(l, l->watched_from_inside || ls__table_watched());
    set_observe(l, OBSERVE_USDT, probes_used());
}

int ls_watch_at(struct ls_site *site, ls_loop *l, bool on)
{
    if (!l || l != ls__loop)
        return ls__wrong_loop(site, "ls_watch");
    l->watched_from_inside = on;
    ls__observe_look(l);
    return 0;
}

void ls__observe_turn(struct ls_loop *l)
{
    l->timed_left = TIMED_STEPS;
    if (!watched(l)) // then all of them are
        l->observe |= OBSERVE_TURN;
    ls__drop_quota(l);
    l->step_ticks = l->event_ticks = l->clock.ticks_ref; // read a moment ago
}

// ---- steps ----

static void check_step(const struct ls_loop *l, struct task *t, int64_t took)
{
    if (took >= l->slow_ns)
        ls__report_slow_step(t, took);
    if (ls__stack_canary_dead(&l->stacks, t->stack)) {
        ls__say("stack overflow in task \"%s\"", ls__task_label(t));
        abort();
    }
}

// Before a switch: the slot of `from` says already where it waits. The ring and hooks see one clock reading.
static void time_step(struct ls_loop *l, struct task *from)
{
    bool timed = from && l->step_ticks;
    int64_t took = read_step(l, from);
    if (unlikely(l->debug) && timed)
        check_step(l, from, took);
    if (l->observe & OBSERVE_TURN && --l->timed_left <= 0) {
        l->observe &= ~(uint32_t)OBSERVE_TURN;
        if (!l->observe)
            l->step_ticks = 0;
    }
}

static void tell_suspended(struct ls_loop *l, struct task *t)
{
    const struct ls_site *site = ls__site(t->slot->await_site);
#ifdef LS_HAVE_USDT
    if (LS_PROBE_USED(task_suspended))
        DTRACE_PROBE5(loopscope, task_suspended, t->id, t->slot->wait, t->slot->wait_object,
                      site ? site->file : "", site ? site->line : 0);
#endif
    if (hooked(l))
        call_hooks(t, LS_HOOK_SUSPENDED, NULL, site);
}

static void tell_resumed(struct ls_loop *l, struct task *t)
{
    bool first = t->slot->steps == 0;
#ifdef LS_HAVE_USDT
    if (first && LS_PROBE_USED(task_started))
        DTRACE_PROBE1(loopscope, task_started, t->id);
    if (LS_PROBE_USED(task_resumed))
        DTRACE_PROBE1(loopscope, task_resumed, t->id);
#endif
    if (hooked(l))
        call_hooks(t, first ? LS_HOOK_STARTED : LS_HOOK_RESUMED, NULL, t->spawn_site);
}

void ls__observe_switch(struct ls_loop *l, struct task *from, struct task *to)
{
    time_step(l, from);
    if (watched(l))
        put_switch(l, from, to);
    if (likely(!(l->observe & (OBSERVE_HOOKS | OBSERVE_USDT))))
        return;
    if (from)
        tell_suspended(l, from);
    if (to)
        tell_resumed(l, to);
}

// ---- the rest of a life ----

void ls__observe_created(struct task *t)
{
    struct ls_loop *l = t->loop;
    const struct ls_site *s = t->spawn_site;
    if (watched(l))
        put_event(l, LS_ABI_EV_CREATED, (uint64_t)t->id, (uint64_t)t->parent_id,
                  t->slot->spawn_site, 0);
#ifdef LS_HAVE_USDT
    if (LS_PROBE_USED(task_created))
        DTRACE_PROBE5(loopscope, task_created, t->id, t->parent_id, s ? s->file : "",
                      s ? s->line : 0, ls__task_label(t));
#endif
    if (hooked(l))
        call_hooks(t, LS_HOOK_CREATED, l->current, s);
}

void ls__observe_ended(struct task *t)
{
    static const enum ls_hook_kind kinds[] = {LS_HOOK_COMPLETED, LS_HOOK_FAILED, LS_HOOK_CANCELLED};
    struct ls_loop *l = t->loop;
    const struct ls_site *s = t->spawn_site;
    if (watched(l)) {
        put_event(l, LS_ABI_EV_ENDED, (uint64_t)t->id, (uint64_t)t->result, t->slot->spawn_site, 0);
        forget_shared(l, t);
    }
#ifdef LS_HAVE_USDT
    if (LS_PROBE_USED(task_ended))
        DTRACE_PROBE5(loopscope, task_ended, t->id, t->result, s ? s->file : "", s ? s->line : 0,
                      ls__task_label(t));
#endif
    if (hooked(l))
        call_hooks(t, kinds[t->state - LS_ABI_DONE], NULL, s);
}

void ls__observe_awaited(struct task *t, struct task *by, struct ls_site *site)
{
    struct ls_loop *l = t->loop;
    if (watched(l))
        put_event(l, LS_ABI_EV_AWAITED, (uint64_t)t->id, (uint64_t)by->id, site_id(site), 0);
#ifdef LS_HAVE_USDT
    if (LS_PROBE_USED(task_awaited))
        DTRACE_PROBE4(loopscope, task_awaited, t->id, by->id, site ? site->file : "",
                      site ? site->line : 0);
#endif
    if (hooked(l))
        call_hooks(t, LS_HOOK_AWAITED, by, site);
}

void ls__observe_orphaned(struct task *t)
{
    struct ls_loop *l = t->loop;
    if (watched(l))
        put_event(l, LS_ABI_EV_ORPHANED, (uint64_t)t->id, 0, t->slot->spawn_site, 0);
#ifdef LS_HAVE_USDT
    if (LS_PROBE_USED(task_orphaned))
        DTRACE_PROBE1(loopscope, task_orphaned, t->id);
#endif
    if (hooked(l))
        call_hooks(t, LS_HOOK_ORPHANED, t->parent, t->spawn_site);
}

void ls__observe_detached(struct task *t)
{
    if (watched(t->loop))
        put_event(t->loop, LS_ABI_EV_DETACHED, (uint64_t)t->id, 0, t->slot->spawn_site, 0);
}

void ls__observe_timed_out(struct task *t)
{
    if (watched(t->loop))
        put_event(t->loop, LS_ABI_EV_TIMED_OUT, (uint64_t)t->id, 0, t->slot->await_site, 0);
}

void ls__observe_cancel(struct task *t)
{
    struct ls_loop *l = t->loop;
    if (watched(l))
        put_event(l, LS_ABI_EV_CANCEL, (uint64_t)t->id, l->current ? (uint64_t)l->current->id : 0,
                  0, 0);
#ifdef LS_HAVE_USDT
    if (LS_PROBE_USED(task_cancelled))
        DTRACE_PROBE1(loopscope, task_cancelled, t->id);
#endif
}
