// The few lines that run at every switch, inlined where they count. internal.h has them as functions.
#ifndef LS_FAST_H
#define LS_FAST_H

#include "internal.h"

typedef uint64_t __attribute__((may_alias)) word_t;

#define SHALLOW_STACK 256

// state, wait, flags and await_site of a slot are one word and change in one store.
_Static_assert(offsetof(struct ls_abi_task, state) % 8 == 0, "the state word must be aligned");
static inline void slot_set_state(struct ls_abi_task *s, uint8_t state, uint8_t wait,
                                  uint16_t flags, uint32_t site)
{
    uint64_t word =
        (uint64_t)state | (uint64_t)wait << 8 | (uint64_t)flags << 16 | (uint64_t)site << 32;
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the live table is laid out for little-endian machines"
#endif
    __atomic_store_n((word_t *)(void *)&s->state, word, __ATOMIC_RELAXED);
}

static inline void slot_show_wait(const struct task *t, uint8_t state, uint8_t wait,
                                  uint64_t object, uint32_t site)
{
    struct ls_abi_task *s = t->slot;
    uint32_t seq = record_begin(&s->seq);
    slot_set_state(s, state, wait, t->flags, site);
    s->wait_object = object;
    record_end(&s->seq, seq);
}

static inline void slot_show_flags(const struct task *t)
{
    __atomic_store_n(&t->slot->flags, t->flags, __ATOMIC_RELAXED);
}

static inline void ready_push(struct ls_loop *l, struct task *t)
{
    t->next = NULL;
    *l->ready_tail = t;
    l->ready_tail = &t->next;
    l->pushed++;
}

static inline uint64_t ready_count(const struct ls_loop *l)
{
    return l->pushed - (l->steps - (uint64_t)l->quota);
}

static inline struct task *ready_pop(struct ls_loop *l) // not empty
{
    struct task *t = l->ready;
    l->ready = t->next;
    __builtin_prefetch(l->ready); // with many tasks each lies in cold memory: its struct, and the
    __builtin_prefetch((void *)((uintptr_t)l->ready - SHALLOW_STACK)); // stack just below
    if (!l->ready)
        l->ready_tail = &l->ready;
    return t;
}

static inline struct task *next_task(struct ls_loop *l, struct task *from)
{
    if (likely(l->ready != NULL) && likely(--l->quota >= 0))
        return ready_pop(l);
    return ls__next_slow(l, from);
}

// What a parked one needs, besides what waking it has brought.
static inline void fetch_to_run(const struct task *t)
{
    const char *p = (const char *)t, *sp = t->context.sp;
    __builtin_prefetch(sp, 1);
    __builtin_prefetch(sp + 64, 1);
    __builtin_prefetch(p + 128, 1);
    __builtin_prefetch(p + 192, 1);
}

static inline void mark_running(struct ls_loop *l, struct task *t)
{
    struct ls_abi_task *s = t->slot;
    __atomic_store_n(&s->state, LS_ABI_RUNNING, __ATOMIC_RELAXED);
    s->steps++; // one instruction; the switch that follows is a barrier to the compiler
    __atomic_store_n(&s->resumed_ns, (uint64_t)l->now_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&l->record->current, (uint64_t)t->id, __ATOMIC_RELAXED);
    l->current = t;
}

static inline void mark_idle(struct ls_loop *l)
{
    __atomic_store_n(&l->record->current, 0, __ATOMIC_RELAXED);
    l->current = NULL;
}

// Leaves the current task `t` for the next one, or for the loop. Returns when it is its turn again.
//
// The switch clobbers every register. What a caller needs afterwards it had better fetch anew (this_task): a variable that
// lives across the switch would live on the stack before it, too.
static inline void suspend(struct ls_loop *l, struct task *t)
{
    struct task *next = next_task(l, t);
    if (likely(next != NULL)) {
        mark_running(l, next);
        if (likely(next != t))
            context_switch(&t->context, &next->context, 0);
    } else {
        mark_idle(l);
        context_switch(&t->context, &l->context, 0);
    }
}

static inline struct task *this_task(void) // in a task
{
    return ls__loop->current;
}

// l is the task's loop: everybody knows it, and need not wait for the task to be loaded.
static inline void wake(struct ls_loop *l, struct task *t, int status)
{
    if (unlikely(timer_armed(&t->timer)))
        list_del(&t->timer.link);
    t->wait_kind = 0;
    t->wake_status = status;
    __atomic_store_n(&t->slot->state, LS_ABI_READY, __ATOMIC_RELAXED);
    ready_push(l, t);
}

static inline int may_wait(const struct task *t, bool held, int64_t timeout_ns)
{
    if (unlikely(t->interrupt) && !held)
        return t->interrupt;
    return unlikely(timeout_ns == 0) ? -ETIMEDOUT : 0;
}

static inline void arm_call_timer(struct ls_loop *l, struct task *t, int64_t timeout_ns)
{
    t->timer.fire = ls__call_timeout;
    timer_arm_fresh(&l->wheel, &t->timer, timeout_ns);
}

// The parts of struct wait, by register.
static inline int park_at(struct ls_loop *l, struct task *t, uint8_t kind, uint64_t object,
                          struct ls_site *site, int64_t timeout_ns,
                          void (*abort)(struct task *, int), void *op, bool held)
{
    if (unlikely(timeout_ns >= 0))
        arm_call_timer(l, t, timeout_ns);
    t->wait_kind = kind;
    t->wait_held = held;
    t->wait_abort = abort;
    t->wait_op = op;
    slot_show_wait(t, LS_ABI_WAITING, kind, object, site_id(site));
    suspend(l, t);
    return this_task()->wake_status;
}

static inline int park(struct task *t, const struct wait *w)
{
    return park_at(t->loop, t, (uint8_t)w->kind, w->object, w->site, w->timeout_ns, w->abort, w->op,
                   w->held);
}

static inline struct task *task_of(struct ls_loop *l, ls_task handle)
{
    uint64_t slot = (uint64_t)handle.id & ((1u << LS_ABI_SLOT_BITS) - 1);
    if (unlikely(handle.id <= 0 || slot >= TABLE_SLOTS ||
                 ls__table.loop_of_chunk[slot / TABLE_CHUNK] != l->index))
        return NULL;
    const struct slot_owner *owner = &ls__table.owners[slot];
    return likely(owner->id == handle.id) ? owner->task : NULL; // ended and freed: negative
}

#endif
