// Tasks: spawned, run, ended, awaited, detached.
//
// A task's struct lies at the top of its own stack, so that an idle task costs one page. It lives until its
// result is taken (await), or nobody can take it any more (its parent or loop ends, or it was detached).
#include "fast.h"

#include <stdlib.h>

// Task structs at the same place of every stack would all fall into the same few cache sets.
#define COLOURS     16
#define COLOUR_STEP 64
#define MANY_LIVE   256 // more do not all stay in the caches

static void task_main(void *arg);

// ---- slots and stacks ----

static int more_slots(struct ls_loop *l)
{
    uint32_t need = (l->nchunks + 1) * TABLE_CHUNK, first;
    if (need > l->slots_cap) { // room for every slot of ours, so that giving one back never fails
        uint32_t cap = l->slots_cap ? l->slots_cap * 2 : 16 * TABLE_CHUNK;
        uint32_t *slots = realloc(l->free_slots, cap * sizeof(*slots));
        if (!slots)
            return -ENOMEM;
        l->free_slots = slots;
        l->slots_cap = cap;
    }
    if (l->nchunks == l->chunks_cap) {
        uint32_t cap = l->chunks_cap ? l->chunks_cap * 2 : 16;
        uint32_t *chunks = realloc(l->chunks, cap * sizeof(*chunks));
        if (!chunks)
            return -ENOMEM;
        l->chunks = chunks;
        l->chunks_cap = cap;
    }
    int r = ls__table_take_chunk(l->index, &first);
    if (r < 0)
        return r;
    l->chunks[l->nchunks++] = first;
    for (uint32_t i = TABLE_CHUNK; i-- > 0;) // lowest on top
        l->free_slots[l->nfree_slots++] = first + i;
    return 0;
}

static struct task *place_task(const struct ls_loop *l, char *stack)
{
    size_t colour = ((uintptr_t)stack >> 16) % COLOURS * COLOUR_STEP;
    size_t size = (sizeof(struct task) + 63) & ~(size_t)63;
    return (struct task *)(void *)(stack + l->stacks.size - size - colour);
}

// A task in new memory gets a slot, and keeps it as long as the memory: for all tasks that live there one after another.
static void take_slot(struct ls_loop *l, struct task *t, char *stack)
{
    uint32_t slot = l->free_slots[--l->nfree_slots];
    struct slot_owner *owner = &ls__table.owners[slot];
    owner->task = t;
    t->owner = owner;
    t->slot = &ls__table.slots[slot];
    t->slot->loop = l->index;
    t->slot->context = (uint64_t)(uintptr_t)&t->context;
    t->loop = l;
    t->stack = stack;
    t->id = owner->id ? -owner->id : slot; // of the one before; new_task counts up
}

static void give_slot(struct ls_loop *l, struct task *t)
{
    l->free_slots[l->nfree_slots++] = LS_ABI_SLOT_OF((uint64_t)t->id);
    t->slot = NULL; // the mark of unused memory: see ls__task_memory_goes
}

void ls__task_memory_goes(void *loop, char *stack)
{
    struct task *t = place_task(loop, stack);
    if (t->slot)
        give_slot(loop, t);
}

static void sanitizers_task_made(struct task *t)
{
    (void)t;
#ifdef LS_ASAN
    t->context.bottom = t->stack + STACK_PAGE;
    t->context.size = (size_t)((char *)t - t->stack) - STACK_PAGE;
    t->context.fake_stack = NULL;
    __asan_unpoison_memory_region(t->context.bottom, t->context.size);
#endif
#ifdef LS_TSAN
    t->context.fiber = __tsan_create_fiber(0);
#endif
}

static void sanitizers_task_freed(struct task *t)
{
    (void)t;
#ifdef LS_TSAN
    struct ls_loop *l = t->loop;
    if (l->dead_fiber)
        __tsan_destroy_fiber(l->dead_fiber);
    l->dead_fiber = t->context.fiber; // it may be the one that we run on
#endif
}

// ---- spawn ----

// The slot was left clean (free_task): no name, no error, no deadline, no cancel.
static inline void fill_slot(struct ls_abi_task *s, uint64_t id, uint64_t parent, uint64_t now_ns,
                             uint16_t flags, uint32_t site)
{
    uint32_t seq = record_begin(&s->seq);
    s->id = id;
    slot_set_state(s, LS_ABI_NEW, LS_ABI_WAIT_NONE, flags, SITE_UNKNOWN);
    s->steps = 0;
    s->resumed_ns = 0;
    s->parent = parent;
    s->busy_ns = 0;
    s->created_ns = now_ns;
    s->spawn_site = site;
    record_end(&s->seq, seq);
}

static void inherit_cancel(struct task *t, const struct task *parent)
{
    if (parent->shields > 0)
        return;
    t->stained = true;
    t->cancel_ns = t->loop->now_ns;
    t->slot->cancel_ns = (uint64_t)t->cancel_ns;
    t->interrupt = -ECANCELED;
    t->flags |= LS_ABI_CANCEL_REQUESTED;
}

static inline void join_family(struct ls_loop *l, struct task *t, struct task *parent,
                               struct ls_group *group)
{
    struct task *spawner = l->current;
    t->parent = parent;
    t->group = group;
    t->parent_id = 0;
    if (likely(spawner != NULL)) {
        t->parent_id = spawner->id;
        if (unlikely(spawner->locals != NULL)) {
            t->untidy = true;
            t->locals = spawner->locals;
            t->locals->refs++;
        }
    }
    if (likely(parent != NULL)) {
        parent->live_children++;
        parent->untidy = true;
        list_add_tail(&parent->children, &t->sibling);
        if (unlikely(cancel_requested(parent)))
            inherit_cancel(t, parent);
    } else if (group) {
        t->flags |= LS_ABI_IN_GROUP;
        ls__group_add(group, t);
    } else {
        t->flags |= LS_ABI_ROOT;
        list_add_tail(&l->roots, &t->sibling);
    }
}

// Memory that no task has used yet. Written to at once: a page that is read first faults twice.
static __attribute__((noinline)) struct task *take_cold(struct ls_loop *l)
{
    char *stack;
    if ((l->nfree_slots == 0 && more_slots(l) < 0) || !(stack = ls__stack_take_cold(&l->stacks))) {
        l->record->spawn_failed++;
        return NULL;
    }
    struct task *t = place_task(l, stack);
    take_slot(l, t, stack);
    return t;
}

// Its struct, and the stack just below: what a new one is written to, and runs on.
static void fetch_task(const struct task *t)
{
    const char *p = (const char *)t;
    for (int line = -3; line < 4; line++)
        __builtin_prefetch(p + line * 64, 1);
}

// While very many are made, the memory of each is cold. That of the next ones to be made is fetched here; and so that each
// finds its memory in the caches again when it begins, the one before it by a few is told to fetch it.
static __attribute__((noinline)) void fetch_ahead(struct ls_loop *l, struct task *t)
{
    const struct stacks *s = &l->stacks;
    struct task **before = &l->spawned[l->live % LS__AHEAD];
    if (s->poison)
        return;
    if (s->npool > s->ntrimmed + LS__AHEAD)
        fetch_task(place_task(l, s->pool[s->npool - LS__AHEAD]));
    if (*before)
        (*before)->beyond = t; // it may have ended, but its memory stays that of a task
    *before = t;
}

// The memory of the task is clean: fresh from the kernel, or left so by the one before (free_task).
static inline ls_task new_task(struct ls_loop *l, struct ls_site *site, ls_fn fn, void *arg,
                               struct task *parent, struct ls_group *group)
{
    char *stack = stack_take_warm(&l->stacks);
    struct task *t = likely(stack != NULL) ? place_task(l, stack) : take_cold(l);
    if (unlikely(!t))
        return (ls_task){-ENOMEM};
    if (unlikely(l->live >= MANY_LIVE))
        fetch_ahead(l, t);
    int64_t id = t->id + (1 << LS_ABI_SLOT_BITS);
    t->id = id;
    t->owner->id = id;
    t->fn = fn;
    t->arg = arg;
    t->spawn_site = site;
    t->created_ns = l->now_ns;
    t->state = LS_ABI_NEW;
    t->flags = 0;
    t->awaiter = NULL;
    join_family(l, t, parent, group);
    t->context.sp = context_make(stack + STACK_PAGE, (char *)t, task_main, t);
    sanitizers_task_made(t);

    uint32_t site_number = site_id(site);
    fill_slot(t->slot, (uint64_t)id, (uint64_t)t->parent_id, (uint64_t)l->now_ns, t->flags,
              site_number);
    l->record->created++;
    t->stats = &l->stats[site_number];
    t->stats->created++;
    t->alone_left = (uint8_t)(LS__ALONE_STEPS - t->stats->short_steps);
    if (unlikely(l->live++ == 0))
        ls__loop_tasks_changed(l);
    ready_push(l, t);
    if (unlikely(l->observe))
        ls__observe_created(t);
    return (ls_task){id};
}

ls_task ls__task_new(struct ls_loop *l, struct ls_site *site, ls_fn fn, void *arg,
                     struct task *parent, struct ls_group *group)
{
    return new_task(l, site, fn, arg, parent, group);
}

ls_task ls_spawn_at(struct ls_site *site, ls_fn fn, void *arg)
{
    struct ls_loop *l = ls__loop;
    if (unlikely(!l))
        return (ls_task){ls__wrong_loop(site, "ls_spawn")};
    if (unlikely(l->closing) && !l->current)
        return (ls_task){-ESHUTDOWN};
    return new_task(l, site, fn, arg, l->current, NULL);
}

int ls_spawn_detached_at(struct ls_site *site, const char *name, ls_fn fn, void *arg)
{
    struct ls_loop *l = ls__loop;
    if (!l)
        return ls__wrong_loop(site, "ls_spawn_detached");
    if (l->closing)
        return -ESHUTDOWN;
    ls_task handle = ls__task_new(l, site, fn, arg, NULL, NULL);
    return handle.id < 0 ? (int)handle.id : ls_detach_at(site, handle, name);
}

// ---- end ----

static inline void count_end(const struct ls_loop *l, struct task *t)
{
    struct ls_abi_loop *r = l->record;
    struct site_stats *s = t->stats;
    int64_t took = l->now_ns - t->created_ns;
    if (likely(t->state == LS_ABI_DONE)) {
        r->completed++;
        s->completed++;
    } else if (t->state == LS_ABI_FAILED) {
        r->failed++;
        s->failed++;
        s->last_error = (int32_t)t->result;
        if (unlikely(l->alert != NULL))
            ls__alert_failure(t);
    } else {
        r->cancelled++;
        s->cancelled++;
    }
    if (unlikely(took > 0))
        ls__count_duration(s, took);
}

static inline uint8_t end_state(const struct task *t)
{
    if (likely(t->result >= 0))
        return LS_ABI_DONE;
    return t->result == -ECANCELED && cancel_requested(t) ? LS_ABI_CANCELLED : LS_ABI_FAILED;
}

// After this the task's memory may belong to another: it only remains to switch away.
static inline void tell_ended(struct ls_loop *l, struct task *t)
{
    struct task *parent = t->parent;
    if (parent && --parent->live_children == 0 &&
        unlikely(parent->wait_kind == LS_ABI_WAIT_CHILDREN))
        wake(l, parent, 0);
    if (unlikely(t->on_end != NULL)) {
        t->on_end(t, t->on_end_ctx);
        t->on_end = NULL;
    }
    if (likely(t->awaiter != NULL))
        wake(l, t->awaiter, 0);
    else if (t->group)
        ls__group_task_ended(t);
    else if (t->flags & LS_ABI_DETACHED)
        ls__task_reap(t, false);
}

static inline void end_task(struct ls_loop *l, struct task *t)
{
    struct ls_abi_task *s = t->slot;
    t->state = end_state(t);
    if (unlikely(t->result < 0)) {
        t->stained = true;
        s->error = (int32_t)t->result; // before the state: nobody looks at it until then
        record_fence();
    }
    slot_set_state(s, t->state, LS_ABI_WAIT_NONE, t->flags, SITE_UNKNOWN);
    count_end(l, t);
    if (unlikely(l->observe))
        ls__observe_ended(t);
    tell_ended(l, t);
    if (unlikely(--l->live == 0))
        ls__loop_tasks_changed(l);
}

static inline void die(struct ls_loop *l, struct task *t)
{
    struct task *next = next_task(l, NULL);
    if (likely(next != NULL))
        mark_running(l, next);
    else
        mark_idle(l);
    context_switch(&t->context, next ? &next->context : &l->context, 1);
    __builtin_unreachable();
}

// Children that the function left running: a bug of the program, but they shall not outlive it.
static void end_children(struct task *t)
{
    struct ls_loop *l = t->loop;
    list_for_each(node, &t->children)
    {
        struct task *child = list_entry(node, struct task, sibling);
        if (task_ended(child))
            continue;
        l->record->left_children++;
        l->record->orphaned++;
        child->stats->orphaned++;
        child->flags |= LS_ABI_ORPHANED;
        slot_show_flags(child);
        if (unlikely(l->observe))
            ls__observe_orphaned(child);
        ls__misuse(child->spawn_site, -ECHILD,
                   "task \"%s\" was still alive when \"%s\" returned: cancelled",
                   ls__task_label(child), ls__task_label(t));
        ls__task_cancel(child);
    }
    struct wait w = {
        .kind = LS_ABI_WAIT_CHILDREN, .object = (uint64_t)t->id, .timeout_ns = -1, .held = true};
    while (t->live_children > 0)
        park(t, &w);
    if (t->result >= 0)
        t->result = -ECHILD;
}

static void reap_children(struct task *t)
{
    struct list *node;
    while ((node = list_first(&t->children))) {
        struct task *child = list_entry(node, struct task, sibling);
        child->parent = NULL;
        if (child->awaiter) { // its result is being taken
            list_unlink(&child->sibling);
            list_add_tail(&t->loop->roots, &child->sibling);
        } else {
            ls__task_reap(child, false);
        }
    }
}

// Everything that the function may have left. Clean-up functions may leave more, so until nothing is left.
static __attribute__((noinline)) void clean_up(struct task *t)
{
    if (t->deadline || t->shields)
        ls__deadlines_abandoned(t);
    t->state = LS_ABI_ENDING;
    do {
        if (!list_empty(&t->groups))
            ls__groups_abandoned(t);
        if (t->live_children > 0)
            end_children(t);
        reap_children(t);
        ls__own_run(t, 0);
    } while (!list_empty(&t->groups) || !list_empty(&t->children) || !list_empty(&t->owned));
    ls__mutexes_abandoned(t);
    ls__locals_unref(t->locals);
    t->locals = NULL;
    t->children = t->owned = t->groups = t->mutexes = (struct list){NULL, NULL};
    t->untidy = false;
}

static void task_main(void *arg)
{
    struct task *t = arg;
    struct ls_loop *l = t->loop;
    context_entered(&l->context);
    if (unlikely(t->beyond != NULL)) {
        fetch_task(t->beyond);
        t->beyond = NULL;
    }
    t->state = LS_ABI_RUNNING;
    l->record->started++;
    t->result = t->fn(t->arg);
    if (unlikely(t->untidy))
        clean_up(t);
    end_task(l, t);
    die(l, t);
}

// What most tasks never have.
static __attribute__((noinline)) void wash(struct task *t)
{
    struct ls_abi_task *s = t->slot;
    uint32_t seq = record_begin(&s->seq);
    s->id = 0;
    s->error = 0;
    s->cancel_ns = s->deadline_ns = 0;
    s->name[0] = 0;
    record_end(&s->seq, seq);
    free(t->name);
    t->name = NULL;
    t->stained = t->cancel_queued = false;
    t->interrupt = 0;
    t->timer.link = (struct list){NULL, NULL};
}

// Leaves the task and its slot as new_task wants them.
static inline void free_task(struct ls_loop *l, struct task *t)
{
    struct ls_abi_task *s = t->slot;
    t->owner->id = -t->id; // no handle is negative
    if (unlikely(t->stained))
        wash(t);
    else
        __atomic_store_n(&s->id, 0, __ATOMIC_RELAXED); // one store, and the rest counts no more
    if (unlikely(l->stacks.poison))
        give_slot(l, t);
    sanitizers_task_freed(t);
    stack_give(&l->stacks, t->stack, t == l->current);
}

void ls__task_free(struct task *t)
{
    free_task(t->loop, t);
}

static void error_unread(struct task *t)
{
    struct ls_loop *l = t->loop;
    l->record->errors_unread++;
    t->stats->errors_unread++;
    if (l->unread_error) {
        struct task *current = l->current;
        l->current = NULL; // must not block
        l->unread_error(task_handle(t), ls__task_label(t), t->spawn_site, (int)t->result,
                        l->unread_error_ctx);
        l->current = current;
        return;
    }
    char site[256];
    ls__say("task \"%s\" spawned at %s failed and nobody reads it: %s", ls__task_label(t),
            ls__site_text(t->spawn_site, site, sizeof(site)), strerror((int)-t->result));
}

void ls__task_reap(struct task *t, bool read)
{
    if (!read && !(t->flags & LS_ABI_DETACHED)) {
        t->loop->record->never_awaited++;
        t->stats->never_awaited++;
        ls__misuse(t->spawn_site, 0, "task \"%s\" was never awaited", ls__task_label(t));
    }
    if (!read && t->state == LS_ABI_FAILED)
        error_unread(t);
    list_unlink(&t->sibling);
    ls__task_free(t);
}

// ---- await ----

static void await_abort(struct task *t, int why)
{
    struct task *awaited = t->wait_op;
    awaited->awaiter = NULL;
    awaited->flags &= (uint16_t)~LS_ABI_AWAITED;
    if (why == -ETIMEDOUT)
        awaited->flags |= LS_ABI_TIMED_OUT;
    slot_show_flags(awaited);
    if (why == -ETIMEDOUT && unlikely(t->loop->observe))
        ls__observe_timed_out(awaited);
    wake(t->loop, t, why);
}

// Whether t would wait, through others, for itself.
static bool is_cycle(const struct task *t, const struct task *awaited)
{
    for (const struct task *x = awaited; x != t; x = x->wait_op) {
        if (x->wait_kind == LS_ABI_WAIT_GROUP)
            return t->group && x->wait_op == t->group;
        if (x->wait_kind != LS_ABI_WAIT_TASK)
            return false;
    }
    return true;
}

static int may_await(struct ls_site *site, const struct task *t, const struct task *awaited)
{
    if (awaited->group)
        return ls__misuse(site, -EINVAL,
                          "ls_await: task \"%s\" belongs to a group; await the group",
                          ls__task_label(awaited));
    if (awaited->flags & LS_ABI_DETACHED)
        return ls__misuse(site, -EINVAL, "ls_await: task \"%s\" is detached",
                          ls__task_label(awaited));
    if (awaited->awaiter)
        return ls__misuse(site, -EBUSY, "ls_await: task \"%s\" is being awaited by \"%s\"",
                          ls__task_label(awaited), ls__task_label(awaited->awaiter));
    if (is_cycle(t, awaited))
        return ls__misuse(site, -EDEADLK, "ls_await: \"%s\" waits for the caller \"%s\"",
                          ls__task_label(awaited), ls__task_label(t));
    return 0;
}

static inline int park_for_end(struct ls_loop *l, struct task *t, struct task *awaited,
                               struct ls_site *site, int64_t timeout_ns, bool held)
{
    awaited->awaiter = t;
    awaited->flags |= LS_ABI_AWAITED;
    slot_show_flags(awaited);
    return park_at(l, t, LS_ABI_WAIT_TASK, (uint64_t)awaited->id, site, timeout_ns,
                   held ? NULL : await_abort, awaited, held);
}

static inline int await_end(struct ls_loop *l, struct task *t, struct task *awaited,
                            struct ls_site *site, int64_t timeout_ns, bool held)
{
    int r = may_wait(t, held, timeout_ns);
    return r < 0 ? r : park_for_end(l, t, awaited, site, timeout_ns, held);
}

// `site` is found in the slot: only observers want it.
static __attribute__((noinline)) void observe_result(struct task *t, struct task *awaited)
{
    struct ls_site *site = (struct ls_site *)(uintptr_t)ls__site(t->slot->await_site);
    ls__observe_awaited(awaited, t, site);
    ls__bury(awaited, site);
}

static inline int64_t take_result(struct ls_loop *l, struct task *t, struct task *awaited)
{
    int64_t result = awaited->result;
    if (unlikely(l->observe))
        observe_result(t, awaited);
    list_unlink(&awaited->sibling);
    free_task(l, awaited);
    return result;
}

// Its time is over: it must not run on.
static __attribute__((noinline)) int64_t cancel_and_see_it_end(struct task *t, struct task *awaited,
                                                               struct ls_site *site)
{
    ls__task_cancel(awaited);
    await_end(t->loop, t, awaited, site, LS_FOREVER, true);
    take_result(t->loop, t, awaited);
    return -ETIMEDOUT;
}

static __attribute__((noinline)) int64_t await_stopped(struct task *t, struct task *awaited,
                                                       struct ls_site *site, int r)
{
    return r == -ETIMEDOUT ? cancel_and_see_it_end(t, awaited, site) : r;
}

static __attribute__((noinline)) int64_t await_ended(struct task *t, struct task *awaited,
                                                     struct ls_site *site)
{
    t->slot->await_site = site_id(site);
    return take_result(t->loop, t, awaited);
}

int64_t ls_await_at(struct ls_site *site, ls_task task, int64_t timeout_ns)
{
    struct ls_loop *l = ls__loop;
    struct task *t, *awaited;
    int r;
    if (unlikely(!l || !(t = l->current)))
        return ls__not_in_task(site, "ls_await");
    if (unlikely(!(awaited = task_of(l, task))))
        return ls__stale(site, task, "ls_await");
    if (unlikely(awaited->wait_kind || awaited == t ||
                 awaited->flags & (LS_ABI_IN_GROUP | LS_ABI_AWAITED | LS_ABI_DETACHED)) &&
        (r = may_await(site, t, awaited)) < 0)
        return r;
    if (task_ended(awaited))
        return await_ended(t, awaited, site);
    if (unlikely((r = may_wait(t, false, timeout_ns)) < 0))
        return await_stopped(t, awaited, site, r);
    r = park_for_end(l, t, awaited, site, timeout_ns, false);
    l = ls__loop; // anew: see suspend
    t = l->current;
    if (unlikely(r < 0))
        return await_stopped(t, t->wait_op,
                             (struct ls_site *)(uintptr_t)ls__site(t->slot->await_site), r);
    return take_result(l, t, t->wait_op);
}

int ls_wait_at(struct ls_site *site, ls_task task, int64_t timeout_ns)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_wait");
    struct task *awaited = task_of(t->loop, task);
    if (!awaited)
        return (int)ls__stale(site, task, "ls_wait");
    int r = may_await(site, t, awaited);
    if (r < 0 || task_ended(awaited))
        return r;
    r = await_end(t->loop, t, awaited, site, timeout_ns, false);
    if (r == 0) { // woken by its end: it may be awaited now
        awaited->awaiter = NULL;
        awaited->flags &= (uint16_t)~LS_ABI_AWAITED;
        slot_show_flags(awaited);
    }
    return r;
}

// ---- detach, names ----

int ls_detach_at(struct ls_site *site, ls_task task, const char *name)
{
    struct ls_loop *l = ls__loop;
    if (!l)
        return ls__wrong_loop(site, "ls_detach");
    struct task *t = task_of(l, task);
    if (!t)
        return (int)ls__stale(site, task, "ls_detach");
    if (!name || !*name)
        return ls__misuse(site, -EINVAL, "ls_detach: say why by a name");
    if (t->group || t->awaiter)
        return ls__misuse(site, -EINVAL, "ls_detach: task \"%s\" is %s", ls__task_label(t),
                          t->group ? "in a group" : "being awaited");
    ls__task_name(t, name);
    if (t->flags & LS_ABI_DETACHED)
        return 0;
    t->flags |= LS_ABI_DETACHED;
    slot_show_flags(t);
    l->record->detached++;
    if (t->parent) {
        if (!task_ended(t))
            t->parent->live_children--;
        t->parent = NULL;
        list_unlink(&t->sibling);
        list_add_tail(&l->roots, &t->sibling);
    }
    if (unlikely(l->observe))
        ls__observe_detached(t);
    if (task_ended(t))
        ls__task_reap(t, false);
    return 0;
}

void ls__task_name(struct task *t, const char *name)
{
    char shown[sizeof(t->slot->name)] = "", *copy = strndup(name, sizeof(shown) - 1);
    if (!copy)
        return;
    free(t->name);
    t->name = copy;
    t->stained = true;
    memcpy(shown, copy, strlen(copy));
    uint32_t seq = record_begin(&t->slot->seq);
    memcpy(t->slot->name, shown, sizeof(shown));
    record_end(&t->slot->seq, seq);
}

int ls_set_name_at(struct ls_site *site, ls_task task, const char *name)
{
    struct ls_loop *l = ls__loop;
    struct task *t = l ? task_of(l, task) : NULL;
    if (!t)
        return l ? (int)ls__stale(site, task, "ls_set_name") : ls__wrong_loop(site, "ls_set_name");
    ls__task_name(t, name ? name : "");
    return 0;
}

const char *ls_name(ls_task task)
{
    struct task *t = ls__loop ? task_of(ls__loop, task) : NULL;
    return t ? ls__task_label(t) : "";
}

ls_task ls_self(void)
{
    return task_handle(task_current());
}

ls_task ls_parent(void)
{
    struct task *t = task_current();
    return (ls_task){t ? t->parent_id : 0};
}

bool ls_alive(ls_task task)
{
    struct task *t = ls__loop ? task_of(ls__loop, task) : NULL;
    return t && !task_ended(t);
}

int ls_on_unread_error_at(struct ls_site *site, ls_loop *loop, ls_unread_error_fn fn, void *ctx)
{
    if (!loop || loop != ls__loop)
        return ls__wrong_loop(site, "ls_on_unread_error");
    loop->unread_error = fn;
    loop->unread_error_ctx = ctx;
    return 0;
}
