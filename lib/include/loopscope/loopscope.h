// loopscope: an embeddable async runtime for C on libuv. Stackful tasks, structured concurrency,
// and a life that can be watched from outside (see abi.h). Streams, files, child processes and signals are in
// io.h, which comes with this header.
//
// RULES THAT HOLD EVERYWHERE
//
// Errors: functions return 0 or a value >= 0, or a negative errno. The usual ones:
//   -ECANCELED  the calling task was asked to cancel
//   -ETIMEDOUT  the timeout of the call, or a deadline over the calling task, has passed
//   -EPERM      wrong thread, or a blocking call outside a task
//   -ESRCH      the handle is stale: already awaited, or no such task
//   -ENOMEM     no memory, stack or table slot
// In debug mode (LOOPSCOPE_DEBUG=1 or ls_options.debug) bad use also prints a message with its site.
//
// Time: int64_t nanoseconds. Resolution is 1 ms, and nothing wakes early. LS_FOREVER waits without
// a bound; a timeout of 0 tries once and returns -ETIMEDOUT where it would wait.
//
// Threads: a task, and each object here, belongs to the loop (thread) it was made on. Only functions
// marked "any thread" may be called from elsewhere; the others return -EPERM there.
//
// Blocking: functions marked "awaits" suspend the calling task, never the loop. They are the await
// points: cancellation and deadlines are delivered there and nowhere else. Only tasks may call them.
//
// Ownership: what a task opens belongs to that task and is released when it ends, however it ends,
// last opened first; said otherwise where it differs. Memory passed in stays the caller's and must
// live until the call returns.
//
// Sites: macros capture file, line and function of the call at no cost. The functions behind them
// end in _at and take a site, NULL when unknown: for bindings, and to be pointed to.
#ifndef LOOPSCOPE_H
#define LOOPSCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LS_API          __attribute__((visibility("default")))
#define LS_MUST_USE     __attribute__((warn_unused_result))
#define LS_PRINTF(f, a) __attribute__((format(printf, f, a)))

#define LS_VERSION_MAJOR 0
#define LS_VERSION_MINOR 1
#define LS_VERSION_PATCH 0
LS_API const char *ls_version(void); // "0.1.0"

#define LS_FOREVER ((int64_t)-1)
#define LS_USEC(n) ((int64_t)(n)*1000)
#define LS_MSEC(n) ((int64_t)(n)*1000000)
#define LS_SEC(n)  ((int64_t)(n)*1000000000)

struct uv_loop_s;

// A place in the program. Static storage: the runtime keeps the pointer for the life of the
// process.
struct ls_site {
    const char *file, *function;
    const char *label; // what is spawned; NULL when nothing
    uint32_t line;
    uint32_t id; // the runtime's; 0 before first use
};
#define LS_SITE(what)                                                                              \
    (__extension__({                                                                               \
        static struct ls_site ls_site_ = {__FILE__, __func__, what, __LINE__, 0};                  \
        &ls_site_;                                                                                 \
    }))
#define LS_HERE LS_SITE(NULL)

typedef struct ls_loop ls_loop;
typedef struct ls_group ls_group;
typedef struct ls_sem ls_sem;
typedef struct ls_mutex ls_mutex;
typedef struct ls_event ls_event;
typedef struct ls_cond ls_cond;
typedef struct ls_chan ls_chan;

// ---- Loops ----
//
// A loop runs the tasks of one thread on a uv_loop_t: its own (ls_run) or the program's
// (ls_attach). Any number of threads may each have one.

// What a task runs. Returns a value >= 0 (an integer, or a pointer cast through intptr_t) or a
// negative errno.
typedef int64_t (*ls_fn)(void *arg);

enum ls_debug {
    LS_DEBUG_ENV = 0, // as LOOPSCOPE_DEBUG says (unset or "0": off)
    LS_DEBUG_OFF = 1,
    LS_DEBUG_ON = 2,
};

struct ls_options {       // zero means the default
    const char *name;     // of the loop, shown outside; at most 15 bytes
    size_t stack_size;    // bytes a task, guard page included (64 KB)
    uint32_t stack_cache; // unused stacks whose memory is kept (1024)
    enum ls_debug debug;
    int64_t turn_ns;    // how long tasks run before the loop polls again (0.5 ms)
    int64_t cleanup_ns; // bound for clean-up after a cancel, per task (10 s)
    int64_t slow_ns;    // debug mode reports a step longer than this (100 ms)
    uint64_t reserved[8];
};

// Makes a loop, runs fn as its main task, and returns what it returned, after all tasks have ended
// (detached ones are cancelled) and the loop is closed. Negative errno also when the loop cannot be
// made; -EBUSY when this thread has one. Outside, the main task is called "main", spawned here.
#define ls_run(fn, arg)               ls_run_at(LS_SITE("main"), NULL, fn, arg)
#define ls_run_with(options, fn, arg) ls_run_at(LS_SITE("main"), options, fn, arg)
LS_API int64_t ls_run_at(struct ls_site *site, const struct ls_options *options, ls_fn fn,
                         void *arg);

// Puts tasks on a uv_loop_t that the program runs itself, on the calling thread. Live tasks keep
// uv_run going. uv must outlive the loop. options may be NULL. -EBUSY when this thread has a loop.
LS_API int ls_attach(ls_loop **ret, struct uv_loop_s *uv, const struct ls_options *options);
// Cancels all tasks and, once they have ended and the handles are closed, calls done(ctx) from
// uv_run; then *loop is gone. done may be NULL. Not from a task. -EALREADY when closing.
#define ls_loop_close(loop, done, ctx) ls_loop_close_at(LS_HERE, loop, done, ctx)
LS_API int ls_loop_close_at(struct ls_site *site, ls_loop *loop, void (*done)(void *ctx),
                            void *ctx);

LS_API ls_loop *ls_loop_current(void);              // of this thread; NULL none
LS_API struct uv_loop_s *ls_loop_uv(ls_loop *loop); // for the program's own handles
LS_API int64_t ls_now(void);                        // CLOCK_MONOTONIC, exact. Any thread

// ---- Tasks ----
//
// A task is a function on a stack of its own. The task that spawns it is its parent and owns it:
// when the parent's function returns, children still alive are cancelled and waited for (that is a
// bug in the program: the parent's result becomes -ECHILD unless it is an error already). A task
// never moves to another thread.
//
// A handle is a plain value, valid until the task is awaited (or, if nobody does, until its parent
// ends); a stale one is always noticed (-ESRCH). A handle of a failed spawn carries the error:
// awaiting it returns it.
typedef struct ls_task {
    int64_t id; // > 0: as in the live table; < 0: negative errno of the spawn; 0: none
} ls_task;

// Starts fn(arg) as a child of the calling task; it runs at the next await point of the caller.
// Outside tasks (a callback of an attached loop) it has no parent. Never aborts: out of memory is
// in the handle. fn always runs, even when it is cancelled before it starts (its first await then
// fails), so it can always release arg.
#define ls_spawn(fn, arg) ls_spawn_at(LS_SITE(#fn), fn, arg)
LS_API ls_task ls_spawn_at(struct ls_site *site, ls_fn fn, void *arg) LS_MUST_USE;

// Spawns and detaches in one go: see ls_detach. 0 or negative errno.
#define ls_spawn_detached(name, fn, arg) ls_spawn_detached_at(LS_SITE(#fn), name, fn, arg)
LS_API int ls_spawn_detached_at(struct ls_site *site, const char *name, ls_fn fn, void *arg);

// Awaits. Waits for the task and returns its result; the handle is then stale.
//   -ESRCH     stale handle (awaited before)
//   -EBUSY     another task is awaiting it
//   -EDEADLK   it waits, through others, for the caller
//   -EINVAL    it belongs to a group
//   -ECANCELED also when the *caller* is cancelled; then the handle stays valid. ls_check() tells
//   which
#define ls_await(task) ls_await_at(LS_HERE, task, LS_FOREVER)
// The same; when the time is over the task is cancelled, waited for, and -ETIMEDOUT returned.
#define ls_await_for(task, timeout_ns) ls_await_at(LS_HERE, task, timeout_ns)
LS_API int64_t ls_await_at(struct ls_site *site, ls_task task, int64_t timeout_ns) LS_MUST_USE;
// Awaits. Waits for the task to end, leaving it alone when the time is over. 0: ended, await it for
// the result.
#define ls_wait(task, timeout_ns) ls_wait_at(LS_HERE, task, timeout_ns)
LS_API int ls_wait_at(struct ls_site *site, ls_task task, int64_t timeout_ns);

// Awaits. Lets the other ready tasks run.
#define ls_yield() ls_yield_at(LS_HERE)
LS_API int ls_yield_at(struct ls_site *site);
// Awaits. 0 after at least ns; -ECANCELED or -ETIMEDOUT before.
#define ls_sleep(ns) ls_sleep_at(LS_HERE, ns)
LS_API int ls_sleep_at(struct ls_site *site, int64_t ns);
// What the next await point would say: 0, -ECANCELED or -ETIMEDOUT. Does not suspend.
#define ls_check() ls_check_at(LS_HERE)
LS_API int ls_check_at(struct ls_site *site);

// Asks the task, and its descendants, to cancel: their await points return -ECANCELED from now on,
// except under a shield. Idempotent. Returns 0; -ESRCH when it has ended or the handle is stale. A
// task may cancel itself.
#define ls_cancel(task) ls_cancel_at(LS_HERE, task)
LS_API int ls_cancel_at(struct ls_site *site, ls_task task);

// Makes the task nobody's child: it may outlive its parent, lives at most as long as the loop, and
// cannot be awaited. An error it ends with goes to the handler of ls_on_unread_error. The name is
// its reason; it is shown outside.
#define ls_detach(task, name) ls_detach_at(LS_HERE, task, name)
LS_API int ls_detach_at(struct ls_site *site, ls_task task, const char *name);

LS_API ls_task ls_self(void);       // id 0 outside tasks
LS_API ls_task ls_parent(void);     // of the calling task; id 0 none. May be stale
LS_API bool ls_alive(ls_task task); // has not ended
// Name of a task, shown outside; at most 23 bytes are kept, copied.
#define ls_set_name(task, name) ls_set_name_at(LS_HERE, task, name)
LS_API int ls_set_name_at(struct ls_site *site, ls_task task, const char *name);
LS_API const char *ls_name(ls_task task); // the label of its spawn site when not named; "" stale

// Called when a task ends with an error that nobody will read (detached, or dropped by its parent).
// Default: one line on stderr. Runs on the loop's thread, outside tasks; must not block. NULL
// restores the default.
typedef void (*ls_unread_error_fn)(ls_task task, const char *name, const struct ls_site *spawned,
                                   int error, void *ctx);
#define ls_on_unread_error(loop, fn, ctx) ls_on_unread_error_at(LS_HERE, loop, fn, ctx)
LS_API int ls_on_unread_error_at(struct ls_site *site, ls_loop *loop, ls_unread_error_fn fn,
                                 void *ctx);

// Task-local values. The key is the address of any static object. A child sees the values that its
// parent had when it was spawned; setting one changes it for the caller and its later children
// only. Values are not owned.
// 0, -ENOMEM, -EPERM
#define ls_local_set(key, value) ls_local_set_at(LS_HERE, key, value)
LS_API int ls_local_set_at(struct ls_site *site, const void *key, void *value);
LS_API void *ls_local_get(const void *key); // NULL when not set, or outside tasks

// ---- Deadlines and shields ----
//
// A deadline bounds a stretch of the calling task: once it has passed, every await point in the
// stretch returns -ETIMEDOUT, until ls_deadline_end. Nested, the nearest counts. Since a group is
// waited for at an await point, a deadline around it cancels its tasks and waits for them. The
// struct lies on the caller's stack; its content is the runtime's. Deadlines are ended in reverse
// order, by the task that began them.
struct ls_deadline {
    void *opaque[10];
};
// 0, -ENOMEM, -EPERM
#define ls_deadline_begin(d, timeout_ns) ls_deadline_begin_at(LS_HERE, d, timeout_ns)
LS_API int ls_deadline_begin_at(struct ls_site *site, struct ls_deadline *d, int64_t timeout_ns);
// 0, or -ETIMEDOUT when it had passed.
#define ls_deadline_end(d) ls_deadline_end_at(LS_HERE, d)
LS_API int ls_deadline_end_at(struct ls_site *site, struct ls_deadline *d);

// Between begin and end, cancellation of the calling task, and deadlines begun before, are held
// back; they are delivered afterwards. Bound the stretch by a deadline begun inside. Nests.
#define ls_shield_begin() ls_shield_begin_at(LS_HERE)
LS_API int ls_shield_begin_at(struct ls_site *site);
// What ls_check says now.
#define ls_shield_end() ls_shield_end_at(LS_HERE)
LS_API int ls_shield_end_at(struct ls_site *site);

// ---- Groups ----
//
// A group (nursery) owns the tasks spawned in it and belongs to the task that opened it. Every
// group is ended by ls_group_wait, which waits for its tasks and frees it; a task that returns with
// an open one has it cancelled and waited for, and ends with -ECHILD. Its tasks are not awaited one
// by one: give a place for the result instead.
enum ls_group_mode {
    LS_FAIL_FAST = 0,   // the first error cancels the others, and is the result of the group
    LS_COLLECT_ALL = 1, // errors are kept per task; the group's result is 0
};
struct ls_group_stats {
    uint64_t spawned, completed, failed, cancelled;
    uint32_t running, waiting; // waiting: spawners held back by the limit
};

// limit: how many may be alive at once; 0 no limit.
#define ls_group_open(ret, mode, limit) ls_group_open_at(LS_HERE, ret, mode, limit)
LS_API int ls_group_open_at(struct ls_site *site, ls_group **ret, enum ls_group_mode mode,
                            uint32_t limit);
// Awaits while the group is at its limit. result may be NULL; it is written when the task ends and
// must live until the group ends. May be called by the group's own tasks. The handle is good for
// ls_cancel, ls_set_name, ls_alive. Errors are in the handle: -ECANCELED when the group has been
// cancelled (fn has not run then), -ENOMEM.
#define ls_group_spawn(group, fn, arg, result)                                                     \
    ls_group_spawn_at(LS_SITE(#fn), group, fn, arg, result)
LS_API ls_task ls_group_spawn_at(struct ls_site *site, ls_group *group, ls_fn fn, void *arg,
                                 int64_t *result);
// Awaits. Waits for all tasks, frees the group and returns its result. When the caller is cancelled
// or its time is over, the tasks are cancelled, and still waited for (without bound: nothing
// outlives its group); then -ECANCELED or -ETIMEDOUT. By the opener only.
#define ls_group_wait(group)                 ls_group_wait_at(LS_HERE, group, LS_FOREVER)
#define ls_group_wait_for(group, timeout_ns) ls_group_wait_at(LS_HERE, group, timeout_ns)
LS_API int64_t ls_group_wait_at(struct ls_site *site, ls_group *group, int64_t timeout_ns);
// Idempotent; does not wait.
#define ls_group_cancel(group) ls_group_cancel_at(LS_HERE, group)
LS_API int ls_group_cancel_at(struct ls_site *site, ls_group *group);
#define ls_group_get_stats(group, ret) ls_group_get_stats_at(LS_HERE, group, ret)
LS_API int ls_group_get_stats_at(struct ls_site *site, const ls_group *group,
                                 struct ls_group_stats *ret);

struct ls_job {
    ls_fn fn;
    void *arg;
};
// Awaits. Runs n jobs, at most limit at once (0: all), each result in results[i], and returns how
// many failed; or -ECANCELED, -ETIMEDOUT when the caller was interrupted, after all have ended. A
// job that never ran has -ECANCELED.
#define ls_gather(jobs, n, limit, results, timeout_ns)                                             \
    ls_gather_at(LS_SITE("gather"), jobs, n, limit, results, timeout_ns)
LS_API int64_t ls_gather_at(struct ls_site *site, const struct ls_job *jobs, size_t n,
                            uint32_t limit, int64_t *results, int64_t timeout_ns);

// ---- Clean-up ----
//
// Each task has a stack of things to undo, run last in first out when its function has returned:
// after success, an error, or a cancel. It may await: it runs under a shield, bounded by
// ls_options.cleanup_ns in all.
// -ENOMEM: nothing was pushed
#define ls_defer(fn, arg) ls_defer_at(LS_HERE, fn, arg)
LS_API int ls_defer_at(struct ls_site *site, void (*fn)(void *arg), void *arg) LS_MUST_USE;
// Forgets the newest such entry; -ENOENT.
#define ls_undefer(fn, arg) ls_undefer_at(LS_HERE, fn, arg)
LS_API int ls_undefer_at(struct ls_site *site, void (*fn)(void *arg), void *arg);
// Runs what was pushed since ls_scope_begin.
struct ls_scope {
    uint64_t opaque;
};
LS_API struct ls_scope ls_scope_begin(void);
LS_API int ls_scope_end(struct ls_scope scope);

// Descriptors and memory of the calling task's scope.
// Will be closed; fd, or -ENOMEM (fd stays the caller's).
#define ls_own_fd(fd) ls_own_fd_at(LS_HERE, fd)
LS_API int ls_own_fd_at(struct ls_site *site, int fd) LS_MUST_USE;
// 0, -ENOENT
#define ls_disown_fd(fd) ls_disown_fd_at(LS_HERE, fd)
LS_API int ls_disown_fd_at(struct ls_site *site, int fd);
LS_API void *ls_alloc(size_t size); // zeroed; freed with the scope; NULL out of memory
LS_API void ls_free(void *memory);  // before that; NULL is fine

// ---- Synchronisation ----
//
// Between tasks of one loop; first come, first served. Made by _new (0, -ENOMEM; -EPERM where there
// is no loop), freed by _free, which returns -EBUSY (and does nothing) while a task waits on it. They
// belong to the program, not to a task. The calls without a timeout never wait, and may be made
// outside tasks. Timeouts as everywhere.

#define ls_sem_new(ret, count) ls_sem_new_at(LS_HERE, ret, count)
LS_API int ls_sem_new_at(struct ls_site *site, ls_sem **ret, uint32_t count);
#define ls_sem_free(sem) ls_sem_free_at(LS_HERE, sem)
LS_API int ls_sem_free_at(struct ls_site *site, ls_sem *sem);
#define ls_sem_acquire(sem, timeout_ns) ls_sem_acquire_at(LS_HERE, sem, timeout_ns)
LS_API int ls_sem_acquire_at(struct ls_site *site, ls_sem *sem, int64_t timeout_ns); // awaits
// -EOVERFLOW at UINT32_MAX
#define ls_sem_release(sem) ls_sem_release_at(LS_HERE, sem)
LS_API int ls_sem_release_at(struct ls_site *site, ls_sem *sem);
LS_API uint32_t ls_sem_count(const ls_sem *sem);

// Owned by a task: -EDEADLK when it has it already, -EPERM when it unlocks what it has not. A task
// that ends with one locked is reported in debug mode, and the mutex passed on.
#define ls_mutex_new(ret) ls_mutex_new_at(LS_HERE, ret)
LS_API int ls_mutex_new_at(struct ls_site *site, ls_mutex **ret);
#define ls_mutex_free(mutex) ls_mutex_free_at(LS_HERE, mutex)
LS_API int ls_mutex_free_at(struct ls_site *site, ls_mutex *mutex);
#define ls_mutex_lock(mutex, timeout_ns) ls_mutex_lock_at(LS_HERE, mutex, timeout_ns)
LS_API int ls_mutex_lock_at(struct ls_site *site, ls_mutex *mutex, int64_t timeout_ns); // awaits
#define ls_mutex_unlock(mutex) ls_mutex_unlock_at(LS_HERE, mutex)
LS_API int ls_mutex_unlock_at(struct ls_site *site, ls_mutex *mutex);

// Set or not; waiters pass while it is set.
#define ls_event_new(ret) ls_event_new_at(LS_HERE, ret)
LS_API int ls_event_new_at(struct ls_site *site, ls_event **ret);
#define ls_event_free(event) ls_event_free_at(LS_HERE, event)
LS_API int ls_event_free_at(struct ls_site *site, ls_event *event);
#define ls_event_wait(event, timeout_ns) ls_event_wait_at(LS_HERE, event, timeout_ns)
LS_API int ls_event_wait_at(struct ls_site *site, ls_event *event, int64_t timeout_ns); // awaits
// Wakes all.
#define ls_event_set(event) ls_event_set_at(LS_HERE, event)
LS_API int ls_event_set_at(struct ls_site *site, ls_event *event);
#define ls_event_clear(event) ls_event_clear_at(LS_HERE, event)
LS_API int ls_event_clear_at(struct ls_site *site, ls_event *event);
LS_API bool ls_event_is_set(const ls_event *event);

// Used with a mutex. The wait gives the mutex up and has it again when it returns, whatever it
// returns.
#define ls_cond_new(ret) ls_cond_new_at(LS_HERE, ret)
LS_API int ls_cond_new_at(struct ls_site *site, ls_cond **ret);
#define ls_cond_free(cond) ls_cond_free_at(LS_HERE, cond)
LS_API int ls_cond_free_at(struct ls_site *site, ls_cond *cond);
#define ls_cond_wait(cond, mutex, timeout_ns) ls_cond_wait_at(LS_HERE, cond, mutex, timeout_ns)
LS_API int ls_cond_wait_at(struct ls_site *site, ls_cond *cond, ls_mutex *mutex,
                           int64_t timeout_ns); // awaits
#define ls_cond_signal(cond) ls_cond_signal_at(LS_HERE, cond)
LS_API int ls_cond_signal_at(struct ls_site *site, ls_cond *cond);
#define ls_cond_broadcast(cond) ls_cond_broadcast_at(LS_HERE, cond)
LS_API int ls_cond_broadcast_at(struct ls_site *site, ls_cond *cond);

// A channel of values of one size, many to many. capacity 0: a send waits until its value is
// received. Closing lets receivers drain it; then, and for every send, -EPIPE. A value is never
// lost: a send that fails was not received.
#define ls_chan_new(ret, item_size, capacity) ls_chan_new_at(LS_HERE, ret, item_size, capacity)
LS_API int ls_chan_new_at(struct ls_site *site, ls_chan **ret, size_t item_size, uint32_t capacity);
#define ls_chan_free(chan) ls_chan_free_at(LS_HERE, chan)
LS_API int ls_chan_free_at(struct ls_site *site, ls_chan *chan);
// Idempotent; wakes all.
#define ls_chan_close(chan) ls_chan_close_at(LS_HERE, chan)
LS_API int ls_chan_close_at(struct ls_site *site, ls_chan *chan);
#define ls_chan_send(chan, item, timeout_ns) ls_chan_send_at(LS_HERE, chan, item, timeout_ns)
#define ls_chan_recv(chan, item, timeout_ns) ls_chan_recv_at(LS_HERE, chan, item, timeout_ns)
LS_API int ls_chan_send_at(struct ls_site *site, ls_chan *chan, const void *item,
                           int64_t timeout_ns); // awaits
LS_API int ls_chan_recv_at(struct ls_site *site, ls_chan *chan, void *item,
                           int64_t timeout_ns);      // awaits
LS_API uint32_t ls_chan_length(const ls_chan *chan); // values buffered

// One of several sends and receives: exactly one happens. Which one, when several can, rotates.
struct ls_case {
    ls_chan *chan;    // NULL: never
    void *recv;       // where to, or
    const void *send; // what (one of the two)
};
// Awaits. Index of the case that happened, its status in *status (0, or -EPIPE when its channel is
// closed; may be NULL); or -ETIMEDOUT, -ECANCELED, -EINVAL. n is at most LS_SELECT_MAX.
#define LS_SELECT_MAX                           64
#define ls_select(cases, n, status, timeout_ns) ls_select_at(LS_HERE, cases, n, status, timeout_ns)
LS_API int ls_select_at(struct ls_site *site, const struct ls_case *cases, size_t n, int *status,
                        int64_t timeout_ns);

// ---- Doors from other threads ----
//
// The only functions that reach a loop from outside its thread. loop must not be closed meanwhile.

// Any thread. Calls fn(arg) on the loop's thread, outside tasks; in order per caller. -ESHUTDOWN
// when closing, -ENOMEM.
LS_API int ls_post(ls_loop *loop, void (*fn)(void *arg), void *arg);

// Any thread. Runs fn(arg) as a task on the loop. ticket may be NULL: then it is detached. A ticket
// is released by ls_ticket_wait or ls_ticket_drop.
typedef struct ls_ticket ls_ticket;
#define ls_spawn_from_thread(loop, fn, arg, ticket)                                                \
    ls_spawn_from_thread_at(LS_SITE(#fn), loop, fn, arg, ticket)
LS_API int ls_spawn_from_thread_at(struct ls_site *site, ls_loop *loop, ls_fn fn, void *arg,
                                   ls_ticket **ticket);
// Any thread but the loop's. Blocks the thread until the task has ended: 0 with its result in
// *result (may be NULL) and the ticket released; -ETIMEDOUT: the ticket stays valid. -EDEADLK on
// the loop's own thread.
LS_API int ls_ticket_wait(ls_ticket *ticket, int64_t *result, int64_t timeout_ns);
LS_API int ls_ticket_cancel(ls_ticket *ticket); // any thread; asks the task to cancel
LS_API void ls_ticket_drop(ls_ticket *ticket);  // any thread; the task runs on, detached

// ---- Offload ----
//
// Blocking or CPU-heavy work on libuv's thread pool (UV_THREADPOOL_SIZE).

// Awaits. Runs fn(arg) on a pool thread and returns what it returned. Interrupted while queued: it
// never runs. Interrupted while it runs: it cannot be stopped, so it is waited for (arg may be on
// the stack), then -ECANCELED or -ETIMEDOUT.
#define ls_offload(fn, arg, timeout_ns) ls_offload_at(LS_SITE(#fn), fn, arg, timeout_ns)
LS_API int64_t ls_offload_at(struct ls_site *site, ls_fn fn, void *arg, int64_t timeout_ns);
// The same, but running work is left behind when interrupted; drop(arg) is called on the loop's
// thread when it has ended, or at once if it never ran. arg must not be on the stack. drop is not
// called when it ended in time.
#define ls_offload_abandon(fn, arg, drop, timeout_ns)                                              \
    ls_offload_abandon_at(LS_SITE(#fn), fn, arg, drop, timeout_ns)
LS_API int64_t ls_offload_abandon_at(struct ls_site *site, ls_fn fn, void *arg,
                                     void (*drop)(void *arg), int64_t timeout_ns);

// ---- Event bus ----
//
// Publish and subscribe by topic, on one loop. Each subscription has a queue and a task of its own:
// a listener that fails or is slow disturbs nobody else. Payloads are reference-counted copies.
typedef struct ls_bus ls_bus;
typedef struct ls_subscription ls_subscription;

enum ls_overflow {
    LS_OVERFLOW_WAIT = 0,     // the publisher waits: back-pressure
    LS_OVERFLOW_DROP_OLD = 1, // counted
    LS_OVERFLOW_DROP_NEW = 2, // counted
};
struct ls_subscribe_options {
    uint32_t queue; // messages (64)
    enum ls_overflow overflow;
    uint64_t reserved[4];
};
struct ls_message {
    const char *topic;
    const void *data;
    size_t size;
};
struct ls_subscription_stats {
    uint64_t delivered, failed, dropped;
    uint32_t queued;
    int last_error;
};
// A listener: runs in the subscription's task and may await. A negative return is counted as
// failed; it gets the next message.
typedef int (*ls_listener_fn)(const struct ls_message *message, void *ctx);

#define ls_bus_new(ret) ls_bus_new_at(LS_HERE, ret)
LS_API int ls_bus_new_at(struct ls_site *site, ls_bus **ret);
// Ends its subscriptions; queued messages are dropped.
#define ls_bus_free(bus) ls_bus_free_at(LS_HERE, bus)
LS_API int ls_bus_free_at(struct ls_site *site, ls_bus *bus);
// topic: exact, or a prefix followed by '*'. options may be NULL.
#define ls_subscribe(bus, ret, topic, fn, ctx, options)                                            \
    ls_subscribe_at(LS_SITE(#fn), bus, ret, topic, fn, ctx, options)
LS_API int ls_subscribe_at(struct ls_site *site, ls_bus *bus, ls_subscription **ret,
                           const char *topic, ls_listener_fn fn, void *ctx,
                           const struct ls_subscribe_options *options);
// After the message at hand, if any.
#define ls_unsubscribe(subscription) ls_unsubscribe_at(LS_HERE, subscription)
LS_API int ls_unsubscribe_at(struct ls_site *site, ls_subscription *subscription);
#define ls_subscription_get_stats(subscription, ret)                                               \
    ls_subscription_get_stats_at(LS_HERE, subscription, ret)
LS_API int ls_subscription_get_stats_at(struct ls_site *site, const ls_subscription *subscription,
                                        struct ls_subscription_stats *ret);
// Awaits where a queue with LS_OVERFLOW_WAIT is full. The number of subscriptions reached, or
// negative errno.
#define ls_publish(bus, topic, data, size, timeout_ns)                                             \
    ls_publish_at(LS_HERE, bus, topic, data, size, timeout_ns)
LS_API int ls_publish_at(struct ls_site *site, ls_bus *bus, const char *topic, const void *data,
                         size_t size, int64_t timeout_ns);
// Awaits until all queues are empty and all listeners idle.
#define ls_bus_drain(bus, timeout_ns) ls_bus_drain_at(LS_HERE, bus, timeout_ns)
LS_API int ls_bus_drain_at(struct ls_site *site, ls_bus *bus, int64_t timeout_ns);

// ---- Logger ----
//
// Structured records (JSON lines), written by a thread of its own through a bounded queue: logging
// never blocks. What does not fit is counted and said in the log. Any thread.
typedef struct ls_logger ls_logger;
enum ls_level { LS_LOG_DEBUG, LS_LOG_INFO, LS_LOG_WARN, LS_LOG_ERROR };
struct ls_logger_options {
    const char *path;    // appended to; NULL: fd
    int fd;              // stays the caller's; 0 with path NULL means standard error
    enum ls_level level; // below it nothing is written
    size_t queue_bytes;  // (1 MB)
    uint64_t reserved[4];
};
struct ls_logger_stats {
    uint64_t written, dropped, bytes, write_errors;
    size_t queued_bytes;
};
enum ls_field_kind {
    LS_FIELD_END,
    LS_FIELD_STRING,
    LS_FIELD_INT,
    LS_FIELD_UINT,
    LS_FIELD_DOUBLE,
    LS_FIELD_BOOL,
    LS_FIELD_ERROR
};
struct ls_field {
    const char *key;
    enum ls_field_kind kind;
    union {
        const char *string;
        int64_t integer;
        uint64_t unsigned_integer;
        double real;
    } value;
};
static inline struct ls_field ls_field_end(void)
{
    struct ls_field f;
    f.key = NULL, f.kind = LS_FIELD_END, f.value.integer = 0;
    return f;
}
static inline struct ls_field ls_str(const char *key, const char *value)
{
    struct ls_field f;
    f.key = key, f.kind = LS_FIELD_STRING, f.value.string = value;
    return f;
}
static inline struct ls_field ls_int(const char *key, int64_t value)
{
    struct ls_field f;
    f.key = key, f.kind = LS_FIELD_INT, f.value.integer = value;
    return f;
}
static inline struct ls_field ls_uint(const char *key, uint64_t value)
{
    struct ls_field f;
    f.key = key, f.kind = LS_FIELD_UINT, f.value.unsigned_integer = value;
    return f;
}
static inline struct ls_field ls_double(const char *key, double value)
{
    struct ls_field f;
    f.key = key, f.kind = LS_FIELD_DOUBLE, f.value.real = value;
    return f;
}
static inline struct ls_field ls_bool(const char *key, bool value)
{
    struct ls_field f;
    f.key = key, f.kind = LS_FIELD_BOOL, f.value.integer = value;
    return f;
}
static inline struct ls_field ls_error(int error) // "error":"ECONNRESET"
{
    struct ls_field f;
    f.key = "error", f.kind = LS_FIELD_ERROR, f.value.integer = error;
    return f;
}
LS_API int ls_logger_new(ls_logger **ret, const struct ls_logger_options *options);
// Writes what is queued, at most timeout_ns long, and ends the thread. Blocks; not for tasks that
// must not: use ls_log_flush first. -ETIMEDOUT: the rest was dropped.
LS_API int ls_logger_free(ls_logger *logger, int64_t timeout_ns);
// ls_log(logger, LS_LOG_INFO, "order done", ls_int("id", 7), ls_str("user", name)); task id and
// name are added.
#define ls_log(logger, level, ...) ls_log_at(LS_HERE, logger, level, __VA_ARGS__, ls_field_end())
LS_API int ls_log_at(struct ls_site *site, ls_logger *logger, enum ls_level level,
                     const char *message, ...); // 0; -EAGAIN: queue full, dropped and counted
#define ls_log_flush(logger, timeout_ns) ls_log_flush_at(LS_HERE, logger, timeout_ns)
LS_API int ls_log_flush_at(struct ls_site *site, ls_logger *logger,
                           int64_t timeout_ns); // awaits until all so far is written
LS_API int ls_logger_get_stats(const ls_logger *logger, struct ls_logger_stats *ret);

// ---- Metrics ----
//
// Of the calling thread's loop. Counting is always on; durations by spawn site from created to
// ended.
struct ls_metrics {
    uint64_t created, started, completed, failed, cancelled;
    uint64_t live, ready, detached, orphaned;
    uint64_t never_awaited, errors_unread, left_children, misuse, spawn_failed;
    uint64_t turns, switches, timers;
    uint64_t stacks, stacks_cached;
    int64_t turn_max_ns, busy_ns; // longest turn; time outside the wait
};
struct ls_site_metrics {
    const struct ls_site *site;
    uint64_t created, completed, failed, cancelled, live;
    double success_ratio;            // completed / ended; NAN when none has ended
    int64_t mean_ns, p99_ns, max_ns; // -1 when none has ended; p99 to within 13 %
};
enum ls_metrics_format { LS_METRICS_JSON, LS_METRICS_OPENMETRICS };

LS_API int ls_metrics_get(struct ls_metrics *ret);
LS_API int ls_metrics_sites(struct ls_site_metrics *ret,
                            size_t n); // how many there are; fills at most n
// The text for an HTTP endpoint. *ret is freed by free(3). Its length.
LS_API ssize_t ls_metrics_render(enum ls_metrics_format format, char **ret);

struct ls_alert {
    uint64_t failures; // within the window
    int64_t window_ns;
    int error; // the newest
    const struct ls_site *site;
};
struct ls_alert_options {
    uint32_t failures; // more than this many (10)
    int64_t window_ns; // (60 s)
    uint64_t reserved[4];
};
// Calls fn on the loop's thread, outside tasks, at most once a window. options may be NULL; fn NULL
// ends it.
#define ls_on_alert(loop, fn, ctx, ...) ls_on_alert_at(LS_HERE, loop, fn, ctx, __VA_ARGS__)
LS_API int ls_on_alert_at(struct ls_site *site, ls_loop *loop,
                          void (*fn)(const struct ls_alert *alert, void *ctx), void *ctx,
                          const struct ls_alert_options *options);

// ---- Hooks ----
//
// Any number of subscribers see every step of every task of a loop. Called on the loop's thread, in
// order of subscription; must not block or await; may spawn, cancel, name, and remove itself. Costs
// nothing without subscribers.
enum ls_hook_kind {
    LS_HOOK_CREATED = 1 << 0,
    LS_HOOK_STARTED = 1 << 1,
    LS_HOOK_SUSPENDED = 1 << 2, // at site
    LS_HOOK_RESUMED = 1 << 3,
    LS_HOOK_COMPLETED = 1 << 4, // result >= 0
    LS_HOOK_FAILED = 1 << 5,    // result < 0
    LS_HOOK_CANCELLED = 1 << 6, // ended with -ECANCELED after a cancel
    LS_HOOK_AWAITED = 1 << 7,   // its result was taken by other, at site
    LS_HOOK_ORPHANED = 1 << 8,  // its parent's function returned without it
    LS_HOOK_ALL = (1 << 9) - 1,
};
struct ls_hook_info {
    enum ls_hook_kind kind;
    ls_task task, other;        // other: the parent when created, the awaiter when awaited
    const struct ls_site *site; // NULL unknown
    const char *name;
    int64_t result;
    int64_t time_ns;
};
typedef void (*ls_hook_fn)(const struct ls_hook_info *info, void *ctx);
#define ls_hook_add(loop, kinds, fn, ctx) ls_hook_add_at(LS_HERE, loop, kinds, fn, ctx)
LS_API int ls_hook_add_at(struct ls_site *site, ls_loop *loop, unsigned kinds, ls_hook_fn fn,
                          void *ctx);
// -ENOENT
#define ls_hook_remove(loop, fn, ctx) ls_hook_remove_at(LS_HERE, loop, fn, ctx)
LS_API int ls_hook_remove_at(struct ls_site *site, ls_loop *loop, ls_hook_fn fn, void *ctx);

// Turns the event ring and the timing of all steps on or off from inside, as a reader's lock does from
// outside (abi.h).
#define ls_watch(loop, on) ls_watch_at(LS_HERE, loop, on)
LS_API int ls_watch_at(struct ls_site *site, ls_loop *loop, bool on);

#ifdef __cplusplus
}
#endif

#include <loopscope/io.h>

#endif
