// The inside of the runtime: loop, task, how a task parks, is woken and is interrupted.
//
// HOW AN OPERATION WAITS. Every awaiting function of the library is built on four calls:
//
//   task_current()       the calling task, NULL outside tasks (then return ls__not_in_task(site, "ls_x"))
//   ls__may_wait(t, w)   0, or why it must not: -ECANCELED, -ETIMEDOUT. Before anything is started
//   ls__park(t, w)       suspends it until somebody calls ls__wake, and returns the status given there
//   ls__wake(t, status)  makes a parked task ready, once a park; on the loop's thread, from anywhere
//
// When the interrupt (a cancel, a deadline), or the timeout of the call, comes while the task is
// parked, the operation's abort(t, why) is called, once. It must see to it that ls__wake(t, why) happens: at once, when
// nothing else can still touch the operation (unlink the waiter, wake), or later from a callback, when
// something can (uv_cancel, uv_close: wake in the callback). An operation that has completed meanwhile wakes with its own
// status and nothing is lost: the interrupt is level-triggered and stays for the next await point.
//
//     struct wait w = {.kind = LS_ABI_WAIT_READ, .object = fd, .site = site, .timeout_ns = timeout_ns,
//                      .abort = read_abort, .op = &read};
//     int status = ls__may_wait(t, &w);   // before the operation is started
//     if (status < 0)
//         return status;
//     ... start the operation; if that fails, return ...
//     status = ls__park(t, &w);
//
// In abort, t->wait_op is the operation. `held` waits through interrupts: for clean-up that must be finished.
//
// WHO OWNS WHAT. `struct own` is a node of a task's clean-up stack. Objects embed one (ls__own_push, ls__own_remove): the
// task's end calls fn(arg) for those still there, last first, under a shield.
//
// THREADS. All of it belongs to the loop's thread, except door.c's inbox.
#ifndef LS_INTERNAL_H
#define LS_INTERNAL_H

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <uv.h>

#include "clock.h"
#include "context.h"
#include "list.h"
#include "stack.h"
#include "table.h"
#include "timer.h"

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

// Why a loop looks closer at every switch; one test in the fast path.
enum observe {
    OBSERVE_WATCH = 1 << 0, // somebody reads the event ring
    OBSERVE_HOOKS = 1 << 1,
    OBSERVE_USDT = 1 << 2,
    OBSERVE_DEBUG = 1 << 3, // slow steps, canaries
    OBSERVE_TURN =
        1 << 4, // the first steps of a turn are always timed: a blocking step is never missed
};

struct task;

struct own {
    struct list link; // in task.owned, newest first
    uint64_t order;
    void (*fn)(void *arg);
    void *arg;
};

struct wait {
    enum ls_abi_wait kind;
    uint64_t object; // as abi.h says for the kind
    struct ls_site *site;
    int64_t timeout_ns;
    void (*abort)(struct task *t, int why);
    void *op;
    bool held; // interrupts do not reach it (its own timeout does)
};

// A place in the queue of a semaphore, mutex, event, condition: on the waiting task's stack.
struct waiter {
    struct list link;
    struct task *task;
};

struct locals {
    uint32_t refs;
    const void *key;
    void *value;
    struct locals *next;
};

// Not in the caller's frame, so that one which was never ended does no harm. Freed ones are kept (outer).
struct deadline {
    struct timer timer;
    struct task *task;
    struct deadline *outer;
    int64_t at_ns;
    uint32_t shield; // depth at which it was begun
    bool expired;
};

// In the order of use: each group is a cache line (64 bytes), and a switch touches the first one only. (0): zero in a new
// task, and again when it has ended, so that nothing has to be cleared for the next one in the same memory.
struct task {
    struct context context;   // first: the live table points here
    struct task *next;        // in the run queue
    struct ls_abi_task *slot; // NULL: the memory has not been used yet
    int64_t id;
    uint8_t
        state; // as the slot's, but RUNNING also while ready or waiting: the truth for decisions
    uint8_t wait_kind; // enum ls_abi_wait while parked (0)
    uint8_t
        alone_left; // steps that are timed one by one before others may share a reading: watch.h
    bool wait_held; // interrupts do not reach it
    uint8_t shared_steps; // that wait for a reading of the clock (0)
    bool
        stained; // a name, an error or a cancel must be washed off before the memory is used again (0)
    bool
        untidy; // it had children, groups, owned things, mutexes, locals, a deadline or a shield (0)
    uint16_t flags;    // enum ls_abi_flag, the truth behind the slot's
    int32_t interrupt; // what the next await point returns: 0, -ECANCELED, -ETIMEDOUT (0)
    int32_t wake_status;
    void *wait_op;
    void (*wait_abort)(struct task *t, int why); // NULL: called already

    struct timer timer; // of the call it is parked in (0)
    struct task *awaiter;
    struct task *parent;    // NULL: root, detached, or of a group
    struct ls_group *group; // that owns it

    int64_t *result_at; // of a group's task
    ls_fn fn;
    void *arg;
    int64_t result;
    struct site_stats *stats;
    int64_t created_ns;
    struct ls_loop *loop;
    struct task *beyond; // spawned a few after it, to be fetched when it begins; only a hint (0)

    struct slot_owner *owner; // of the slot
    char *stack;              // lowest address, guard included
    struct list sibling;      // in the parent's, the loop's or the group's list
    int64_t parent_id;        // of the task that spawned it, for show
    struct ls_site *spawn_site;
    uint32_t live_children, shields;           // (0)
    void (*on_end)(struct task *t, void *ctx); // when it has ended, before it is freed (0)

    struct locals *locals;                        // (0)
    struct deadline *deadline;                    // innermost (0)
    struct list children, groups, owned, mutexes; // groups: opened by it; owned: struct own; (0)
    char *name;                                   // NULL: not named (0)
    void *on_end_ctx;
    uint64_t own_order; // of the newest in owned
    int64_t cancel_ns;
    struct list cancel_link; // while a cancel walks the tree
    bool cancel_queued;      // (0)
};

struct hook {
    unsigned kinds;
    ls_hook_fn fn; // NULL: removed while being called
    void *ctx;
};

// What is counted by spawn site, for the metrics. Readers of the live table know it as struct ls_abi_site_stats.
#define SITE_BUCKETS LS_ABI_SITE_BUCKETS
struct site_stats {
    uint64_t created, completed, failed, cancelled;
    int64_t sum_ns, max_ns;
    union {
        uint32_t *buckets; // SITE_BUCKETS, by ls__duration_bucket, of durations above 0; NULL: none
        uint64_t buckets_address;
    };
    uint32_t never_awaited, errors_unread, orphaned;
    int32_t last_error;
    uint8_t short_steps; // of its tasks, one after another, each timed alone: watch.h
};
_Static_assert(offsetof(struct site_stats, last_error) ==
                   offsetof(struct ls_abi_site_stats, last_error),
               "as abi.h says");

struct object { // anything made by ls_x_new: for the report of what was not freed
    struct list link;
    struct ls_loop *loop;
    const char *kind;
};

struct door {                       // the inbox from other threads
    _Atomic(struct letter *) inbox; // newest first
    uv_async_t async;
    atomic_bool shut;
};

// Room for the second part of the library (I/O, metrics): called when the loop closes.
struct closing {
    struct list link;
    void (*fn)(struct ls_loop *loop, struct closing *self);
};

// How many tasks ahead memory is fetched into the caches: task.c.
#define LS__AHEAD 4

// See watch.h.
#define LS__SHARED_STEPS 32
#define LS__ALONE_STEPS  64

// Whose steps wait for a reading of the clock to share.
struct sharing {
    uint32_t ntasks, nended;
    struct task *tasks[LS__SHARED_STEPS];
    struct site_stats *ended[LS__SHARED_STEPS]; // of tasks that have ended
};

// Limits of the histogram of turns, in seconds.
#define LS__TURN_LIMITS                                                                            \
    {                                                                                              \
        0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10                          \
    }
#define LS__TURN_BUCKETS 14

struct ls_loop {
    // the fast path
    struct task *current; // NULL: the loop itself
    struct task *ready, **ready_tail;
    int32_t quota;    // steps until ls__next_slow must look: at the clock, or at whoever observes
    uint32_t observe; // enum observe; while any is set, no quota is given
    struct context context;
    struct ls_abi_loop *record;
    int64_t now_ns;     // of the turn; exact while steps are timed
    uint64_t steps;     // taken from the run queue, once the quota is used up
    uint64_t pushed;    // into it
    int32_t steps_left; // until the clock is looked at
    int32_t
        least_quota; // below 0 while watched: the quota may be overdrawn, by steps that share a reading
    struct task *spawned[LS__AHEAD]; // the last ones, while there are very many
    uint32_t *free_slots;
    uint32_t nfree_slots, slots_cap;
    struct site_stats *stats; // by site id
    struct stacks stacks;

    // timing of steps
    struct ls_abi_event *ring;
    uint64_t event_ticks; // of the last switch: what happens within a step bears its time
    uint64_t step_ticks;  // when the present step began; 0: not timed
    int32_t timed_left;
    struct sharing sharing;
    struct site_stats *ended; // the last step of a task of this site waits to be timed
    struct tick_clock clock;

    struct wheel wheel;
    struct timer trim_timer;
    struct deadline *free_deadlines;
    uint64_t uv_timer_ms; // what the uv_timer is set to; UINT64_MAX: stopped
    int64_t turn_end_ns;

    uv_loop_t *uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;
    int open_handles;
    uint32_t pending; // work on the pool that no task waits for: the loop must not close before
    bool idle_active;
    struct door door;

    char name[16];
    struct list roots; // tasks without a parent
    uint64_t live;     // tasks not ended
    uint32_t index;    // of the record
    uint32_t *chunks;  // slots taken from the table
    uint32_t nchunks, chunks_cap;
    struct list objects;
    size_t select_turn;
    struct list closing_parts; // struct closing
    bool debug, watched_from_inside, own_uv, closing, handles_closing, in_hooks;
    struct hook *hooks;
    uint32_t nhooks, hooks_cap;
    ls_unread_error_fn unread_error;
    void *unread_error_ctx;
    int64_t next_look_ns; // for watchers
    int64_t turn_ns, cleanup_ns, slow_ns;
    int64_t turn_max_ns, busy_ns, busy_since_ns;
    uint64_t
        turn_counts[LS__TURN_BUCKETS]; // turns by length: up to each of LS__TURN_LIMITS, and above
    void (*closed)(void *ctx);
    void *closed_ctx;
    void *alert;                 // metrics' own
    struct graveyard *graveyard; // debug: tasks lately awaited, for messages
    struct altstack *altstack;
#ifdef LS_TSAN
    void *dead_fiber;
#endif
};

extern __thread struct ls_loop *ls__loop __attribute__((tls_model("initial-exec")));

static inline struct task *task_current(void)
{
    struct ls_loop *l = ls__loop;
    return likely(l != NULL) ? l->current : NULL;
}

// task.c
struct task *ls__task_of(ls_task handle); // NULL: stale, or its slot's owner is another loop's
ls_task ls__task_new(struct ls_loop *l, struct ls_site *site, ls_fn fn, void *arg,
                     struct task *parent, struct ls_group *group);
void ls__task_memory_goes(void *loop, char *stack); // of a free stack
void ls__task_free(struct task *t);                 // ended, and nobody refers to it
void ls__task_reap(struct task *t,
                   bool read);        // takes it out of its list, sees to an unread error, frees
void ls__task_cancel(struct task *t); // and what is under it; again: what has come since
void ls__cancel_add(struct task *t, struct list *work); // for a walk of one's own
void ls__cancel_work(struct list *work);
void ls__task_name(struct task *t, const char *name); // keeps the old one when out of memory
static inline bool cancel_requested(const struct task *t)
{
    return t->flags & LS_ABI_CANCEL_REQUESTED;
}
static inline bool task_ended(const struct task *t)
{
    return t->state >= LS_ABI_DONE;
}
static inline ls_task task_handle(const struct task *t)
{
    return (ls_task){t ? t->id : 0};
}

// wait.c
int ls__may_wait(struct task *t, const struct wait *w);
int ls__park(struct task *t, struct wait *w);
void ls__wake(struct task *t, int status);
void ls__call_timeout(struct timer *timer); // fire of task.timer
void ls__interrupt(
    struct task
        *t); // cancellation or deadlines have changed: recompute, and abort its wait if need be
int ls__interrupt_status(struct task *t); // recomputed; reads the clock when there are deadlines
void ls__deadlines_abandoned(struct task *t);
// The common wait: in a queue, nothing to undo but the place in it.
int ls__wait_in(struct list *queue, struct task *t, struct wait *w);
struct task *ls__wake_first(struct list *queue, int status); // NULL: nobody waits
void ls__waiter_abort(struct task *t, int why);              // w->op is a struct waiter

// loop.c
// The next task of this turn when the fast path cannot tell; `from` is being suspended, NULL: it has ended, or is
// the loop. NULL: none, or the turn is over.
struct task *ls__next_slow(struct ls_loop *l, struct task *from);
void ls__drop_quota(struct ls_loop *l);         // what is left of it: the next step asks again
void ls__busy(struct ls_loop *l);               // the loop has left its wait
void ls__loop_tasks_changed(struct ls_loop *l); // live has become 0 or 1

// clean-up: own.c
void ls__own_push(struct task *t, struct own *own, void (*fn)(void *arg), void *arg);
void ls__own_remove(struct own *own); // fine when it is not owned
void ls__own_init(struct own *own);
bool ls__own_owned(const struct own *own);
void ls__own_run(struct task *t,
                 uint64_t down_to); // runs those pushed after; under shield and bound

// group.c
void ls__group_add(struct ls_group *g, struct task *t);
void ls__group_task_ended(struct task *t);     // takes the result, frees it
void ls__groups_abandoned(struct task *owner); // ends the groups that the owner left open
void ls__groups_add_children(struct task *owner, struct list *work); // marks them cancelled, too

// locals.c
void ls__locals_unref(struct locals *l);

// sync
void ls__mutexes_abandoned(struct task *t);
// struct object first; zeroed
int ls__object_new(struct ls_site *site, size_t size, const char *kind, void *ret);
void ls__object_free(struct object *o);
#define object_mine(o) ((o)->base.loop == ls__loop)

// hooks.c: only called when loop.observe says so
void ls__observe_created(struct task *t);
void ls__observe_switch(struct ls_loop *l, struct task *from, struct task *to);
void ls__observe_ended(struct task *t);
void ls__observe_awaited(struct task *t, struct task *by, struct ls_site *site);
void ls__observe_orphaned(struct task *t);
void ls__observe_detached(struct task *t);
void ls__observe_cancel(struct task *t);
void ls__observe_timed_out(struct task *t);
void ls__observe_look(struct ls_loop *l); // for watchers, USDT users
void ls__observe_turn(struct ls_loop *l); // at the start of a turn
void ls__hooks_free(struct ls_loop *l);

// debug.c
// Counts a misuse, says so in debug mode ("FILE:LINE function: text"), returns error.
int ls__misuse(struct ls_site *site, int error, const char *fmt, ...) LS_PRINTF(3, 4);
int ls__not_in_task(struct ls_site *site, const char *call); // -EPERM, with the reason
int ls__wrong_loop_of(const struct ls_loop *of, struct ls_site *site, const char *call);
int ls__wrong_loop(struct ls_site *site, const char *call); // -EPERM
int64_t ls__stale(struct ls_site *site, ls_task task,
                  const char *call);                 // -ESRCH, -EPERM, or the handle's own error
void ls__say(const char *fmt, ...) LS_PRINTF(1, 2);  // a line on stderr, "loopscope: " before it
void ls__bury(struct task *t, struct ls_site *site); // debug: remembers who took the result
void ls__report_leaks(struct ls_loop *l);
void ls__report_slow_step(struct task *t, int64_t ns);
const char *ls__site_text(const struct ls_site *site, char *text, size_t size);
const char *ls__task_label(const struct task *t);

// overflow.c
int ls__overflow_watch(struct ls_loop *l); // this thread: a stack overflow says which task
void ls__overflow_unwatch(struct ls_loop *l);

// fork.c
void ls__loop_after_fork(void); // in the child: shows this thread's loop and tasks in the new table

// door.c
int ls__door_open(struct ls_loop *l);
void ls__door_shut(struct ls_loop *l); // what is still in the inbox is refused

// metrics.c
void ls__alert_failure(const struct task *t); // while loop.alert is set

// stats.c
void ls__count_turn(struct ls_loop *l, int64_t ns);
void ls__count_duration(struct site_stats *s, int64_t ns);
unsigned ls__duration_bucket(int64_t ns);
int64_t ls__bucket_limit(unsigned bucket);
int64_t ls__site_percentile(const struct site_stats *s, double q);

#endif
