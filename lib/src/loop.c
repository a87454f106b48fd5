// A loop: how tasks share a thread with a uv_loop_t.
//
// An iteration of libuv: timers, pending, idle, PREPARE, poll, CHECK, closing callbacks. Tasks run in prepare and in check,
// so whatever woke them (a timer, an event, a closing callback), they run before the loop sleeps. A turn of tasks is
// bounded by time (turn_ns); what is left then keeps an idle handle active, so that the next poll does not wait.
//
// The handles do not keep uv_run going, except that the door's async handle does while tasks are alive.
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEPS_PER_LOOK  64 // at the clock
#define DEFAULT_STACK   ((size_t)64 << 10)
#define DEFAULT_CACHE   1024
#define DEFAULT_TURN    500000
#define DEFAULT_CLEANUP 10000000000
#define DEFAULT_SLOW    100000000
#define TRIM_PERIOD     1000000000

__thread struct ls_loop *ls__loop;

// ---- turns ----

static void look_at_clock(struct ls_loop *l)
{
    if (l->observe != OBSERVE_WATCH) // else it was read just now
        l->now_ns = clock_ticks_to_ns(&l->clock, clock_ticks());
    ls__wheel_settle(&l->wheel, l->now_ns);
    ls__wheel_advance(&l->wheel, l->now_ns);
    ls__wheel_fire(&l->wheel, STEPS_PER_LOOK);
}

// Timers that are due at the same time, and that may be very many, fire as their tasks get their turn: then what firing one has
// fetched into the caches is still there when its task runs.
static bool more_ready(struct ls_loop *l)
{
    if (!l->ready)
        ls__wheel_fire(&l->wheel, STEPS_PER_LOOK);
    return l->ready;
}

// A new quota, of one step while somebody observes. 0: the turn is over.
static int give_quota(struct ls_loop *l)
{
    if (l->steps_left <= 0) {
        look_at_clock(l);
        if (l->now_ns >= l->turn_end_ns) {
            l->quota = 0;
            return 0;
        }
        l->steps_left = STEPS_PER_LOOK;
    }
    int32_t quota = unlikely(l->observe) ? 1 : l->steps_left;
    l->quota = quota - 1; // the step that asks is the first
    l->steps_left -= quota;
    l->steps += (uint64_t)quota;
    return 1;
}

void ls__drop_quota(struct ls_loop *l)
{
    l->steps -= (uint64_t)l->quota;
    l->steps_left += l->quota;
    l->quota = 0;
}

static __attribute__((noinline)) struct task *next_with_reading(struct ls_loop *l,
                                                                struct task *from)
{
    uint32_t watched = l->observe == OBSERVE_WATCH;
    if (watched)
        read_step(l, from);
    ls__drop_quota(l);
    struct task *next = more_ready(l) && give_quota(l) ? ready_pop(l) : NULL;
    if (watched) {
        put_switch(l, from, next);
        allow_sharing(l, next);
    } else if (l->observe) {
        ls__observe_switch(l, from, next);
    }
    return next;
}

// Most switches of a loop that is watched end here: kept free of calls.
struct task *ls__next_slow(struct ls_loop *l, struct task *from)
{
    struct task *next = l->ready;
    if (unlikely(!next))
        return next_with_reading(l, from);
    if (unlikely(l->quota < l->least_quota) || unlikely(next->alone_left)) {
        l->quota++; // not taken yet
        return next_with_reading(l, from);
    }
    ready_pop(l);
    if (likely(from != NULL))
        share_step(l, from);
    else
        share_last_step(l);
    put_switch(l, from, next);
    return next;
}

void ls__busy(struct ls_loop *l)
{
    l->busy_since_ns = ls__clock_sync(&l->clock);
    l->now_ns = l->busy_since_ns;
    __atomic_store_n(&l->record->busy_since_ns, (uint64_t)l->busy_since_ns, __ATOMIC_RELAXED);
}

static void begin_turn(struct ls_loop *l)
{
    l->now_ns = ls__clock_sync(&l->clock);
    l->turn_end_ns = l->now_ns + l->turn_ns;
    l->quota = 0;
    l->steps_left = STEPS_PER_LOOK;
    ls__wheel_advance(&l->wheel, l->now_ns);
    ls__wheel_fire(&l->wheel, STEPS_PER_LOOK);
    if (l->now_ns >= l->next_look_ns)
        ls__observe_look(l);
}

static void run_tasks(struct ls_loop *l)
{
    struct task *t;
    ls__observe_turn(l);
    while ((t = next_task(l, NULL))) {
        mark_running(l, t);
        context_switch(&l->context, &t->context, 0);
    }
    l->observe &= ~(uint32_t)OBSERVE_TURN;
    ls__drop_quota(l);
}

static void run_turn(struct ls_loop *l)
{
    begin_turn(l);
    if (more_ready(l)) {
        run_tasks(l);
        l->now_ns = ls__clock_sync(&l->clock);
    }
    ls__wheel_settle(&l->wheel, l->now_ns);
    __atomic_store_n(&l->record->switches, l->steps, __ATOMIC_RELAXED);
    __atomic_store_n(&l->record->ready, (uint32_t)ready_count(l), __ATOMIC_RELAXED);
    __atomic_store_n(&l->record->stacks, l->stacks.total, __ATOMIC_RELAXED);
    __atomic_store_n(&l->record->timers_armed, l->wheel.armed, __ATOMIC_RELAXED);
}

static void on_timer(uv_timer_t *timer)
{
    struct ls_loop *l = timer->data; // prepare does the work
    l->uv_timer_ms = UINT64_MAX;
}

// libuv counts from the time of its iteration, in ms: one more, and it never comes early.
static void set_timer(struct ls_loop *l)
{
    uint64_t next = l->wheel.next_ms;
    if (next == l->uv_timer_ms)
        return;
    l->uv_timer_ms = next;
    if (next == UINT64_MAX) {
        uv_timer_stop(&l->timer);
        return;
    }
    uint64_t now_ms = uv_now(l->uv);
    uv_timer_start(&l->timer, on_timer, next > now_ms ? next - now_ms : 0, 0);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; // its being active is all
}

static void set_idle(struct ls_loop *l)
{
    bool more = l->ready || wheel_due(&l->wheel);
    if (more == l->idle_active)
        return;
    l->idle_active = more;
    if (more)
        uv_idle_start(&l->idle, on_idle);
    else
        uv_idle_stop(&l->idle);
}

static void close_if_over(struct ls_loop *l);
static void trim_later(struct ls_loop *l);

static void note_turn(struct ls_loop *l)
{
    if (l->busy_since_ns) {
        int64_t took = l->now_ns - l->busy_since_ns;
        l->busy_ns += took;
        ls__count_turn(l, took);
        if (took > l->turn_max_ns)
            l->turn_max_ns = took;
    }
    l->busy_since_ns = 0;
    __atomic_store_n(&l->record->busy_since_ns, 0, __ATOMIC_RELAXED);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct ls_loop *l = prepare->data;
    if (!l->busy_since_ns)
        ls__busy(l);
    run_turn(l);
    __atomic_store_n(&l->record->iteration, l->record->iteration + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&l->record->live, l->live, __ATOMIC_RELAXED);
    ls__table_set_clock(l->clock.ticks_ref, l->clock.ns_ref, l->clock.mult);
    note_turn(l);
    close_if_over(l);
    if (l->handles_closing)
        return;
    trim_later(l);
    set_idle(l);
    set_timer(l);
}

static void on_check(uv_check_t *check)
{
    struct ls_loop *l = check->data;
    if (!l->busy_since_ns)
        ls__busy(l);
    run_turn(l);
    close_if_over(l); // here, too: with its last task gone nothing may keep uv_run going
}

void ls__loop_tasks_changed(struct ls_loop *l)
{
    if (l->live > 0)
        uv_ref((uv_handle_t *)&l->door.async);
    else
        uv_unref((uv_handle_t *)&l->door.async);
}

// Free stacks above the watermark give their memory back, a little at a time, while nothing else is to do.
static void trim(struct timer *timer)
{
    struct ls_loop *l = list_entry(timer, struct ls_loop, trim_timer);
    if (ls__stacks_trim(&l->stacks, ls__task_memory_goes, l))
        ls__timer_arm(&l->wheel, timer, l->now_ns + TRIM_PERIOD / 100);
}

static void trim_later(struct ls_loop *l)
{
    struct stacks *s = &l->stacks;
    if (unlikely(s->npool > s->keep + s->ntrimmed) && !s->poison && !timer_armed(&l->trim_timer))
        ls__timer_arm(&l->wheel, &l->trim_timer, l->now_ns + TRIM_PERIOD);
}

// ---- making ----

static bool debug_by_environment(void)
{
    const char *text = getenv("LOOPSCOPE_DEBUG");
    return text && *text && strcmp(text, "0") != 0;
}

static void apply_options(struct ls_loop *l, const struct ls_options *o)
{
    static const struct ls_options none;
    if (!o)
        o = &none;
    l->debug = o->debug == LS_DEBUG_ON || (o->debug != LS_DEBUG_OFF && debug_by_environment());
    l->turn_ns = o->turn_ns > 0 ? o->turn_ns : DEFAULT_TURN;
    l->cleanup_ns = o->cleanup_ns > 0 ? o->cleanup_ns : DEFAULT_CLEANUP;
    l->slow_ns = o->slow_ns > 0 ? o->slow_ns : DEFAULT_SLOW;
    l->observe = l->debug ? OBSERVE_DEBUG : 0;
}

static int init_handles(struct ls_loop *l)
{
    int r = ls__door_open(l); // first: the only one that can fail
    if (r < 0)
        return r;
    uv_prepare_init(l->uv, &l->prepare);
    uv_check_init(l->uv, &l->check);
    uv_idle_init(l->uv, &l->idle);
    uv_timer_init(l->uv, &l->timer);
    l->prepare.data = l->check.data = l->idle.data = l->timer.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
    uv_unref((uv_handle_t *)&l->door.async);
    uv_unref((uv_handle_t *)&l->prepare);
    uv_unref((uv_handle_t *)&l->check);
    uv_unref((uv_handle_t *)&l->timer);
    l->open_handles = 5;
    return 0;
}

static void fill_record(struct ls_loop *l, const char *name)
{
    struct ls_abi_loop *record = &ls__table.loops[l->index];
    uint32_t seq = record->seq;
    __atomic_store_n(&record->seq, seq | 1, __ATOMIC_RELAXED);
    record_fence();
    memset(&record->tid, 0, sizeof(*record) - offsetof(struct ls_abi_loop, tid));
    record->tid = gettid();
    record->address = (uint64_t)(uintptr_t)l->uv;
    record->flags = (l->debug ? LS_ABI_LOOP_DEBUG : 0) | (l->own_uv ? 0 : LS_ABI_LOOP_ATTACHED);
    if (name)
        memcpy(l->name, name, strnlen(name, sizeof(l->name) - 1));
    memcpy(record->name, l->name, sizeof(record->name));
    record->stats_address = (uint64_t)(uintptr_t)l->stats;
    record->stats_size = sizeof(*l->stats);
    __atomic_store_n(&record->seq, (seq | 1) + 1, __ATOMIC_RELEASE);
    l->record = record;
}

static void free_arrays(struct ls_loop *l)
{
    for (uint32_t i = 0; i < l->nchunks; i++)
        ls__table_give_chunk(l->chunks[i]);
    for (uint32_t i = 0; l->stats && i < ls__table.sites_used; i++)
        free(l->stats[i].buckets);
    if (l->stats)
        munmap(l->stats, TABLE_SITES * sizeof(*l->stats));
    while (l->free_deadlines) {
        struct deadline *d = l->free_deadlines;
        l->free_deadlines = d->outer;
        free(d);
    }
    free(l->free_slots);
    free(l->chunks);
    ls__hooks_free(l);
    free(l->graveyard);
    ls__stacks_free(&l->stacks);
}

static void init_lists(struct ls_loop *l)
{
    l->ready_tail = &l->ready;
    ls__clock_init(&l->clock);
    l->now_ns = l->clock.ns_ref;
    ls__wheel_init(&l->wheel, l->now_ns);
    l->uv_timer_ms = UINT64_MAX;
    timer_init(&l->trim_timer, trim);
#ifdef LS_TSAN
    l->context.fiber = __tsan_get_current_fiber();
#endif
}

static int loop_new(struct ls_loop **ret, uv_loop_t *uv, const struct ls_options *o, bool own_uv)
{
    int r;
    if (ls__loop)
        return -EBUSY;
    if ((r = ls__table_open()) < 0)
        return r;
    struct ls_loop *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->uv = uv;
    l->own_uv = own_uv;
    init_lists(l);
    apply_options(l, o);
    r = ls__stacks_init(&l->stacks, o && o->stack_size ? o->stack_size : DEFAULT_STACK,
                        o && o->stack_cache ? o->stack_cache : DEFAULT_CACHE, l->debug);
    if (r < 0)
        goto free_loop;
    r = -ENOMEM;
    l->stats = mmap(NULL, TABLE_SITES * sizeof(*l->stats), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (l->stats == MAP_FAILED) {
        l->stats = NULL;
        goto free_loop;
    }
    if ((r = ls__table_take_loop(&l->index)) < 0)
        goto free_loop;
    fill_record(l, o ? o->name : NULL);
    if ((r = ls__overflow_watch(l)) < 0)
        goto give_record;
    if ((r = init_handles(l)) < 0)
        goto unwatch;
    ls__table_set_stack_size((uint32_t)l->stacks.size);
    ls__loop = *ret = l;
    return 0;
unwatch:
    ls__overflow_unwatch(l);
give_record:
    l->record->tid = 0;
    l->record->stats_address = 0;
    ls__table_give_loop(l->index);
free_loop:
    free_arrays(l);
    free(l);
    return r;
}

int ls_attach(ls_loop **ret, uv_loop_t *uv, const struct ls_options *options)
{
    *ret = NULL;
    return uv ? loop_new(ret, uv, options, false) : -EINVAL;
}

// ---- closing ----

static void free_loop(struct ls_loop *l)
{
    void (*closed)(void *) = l->closed;
    void *ctx = l->closed_ctx;
    ls__overflow_unwatch(l);
    l->record->tid = 0;
    l->record->stats_address = 0;
    ls__table_give_loop(l->index);
    free_arrays(l);
    ls__loop = NULL;
    free(l);
    if (closed)
        closed(ctx);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct ls_loop *l = handle->data;
    if (--l->open_handles == 0)
        free_loop(l);
}

static void reap_roots(struct ls_loop *l)
{
    struct list *node;
    while ((node = list_first(&l->roots)))
        ls__task_reap(list_entry(node, struct task, sibling), false);
}

static void close_if_over(struct ls_loop *l)
{
    if (!l->closing || l->live > 0 || l->pending > 0 || l->handles_closing)
        return;
    l->handles_closing = true;
    reap_roots(l);
    struct list *node;
    while ((node = list_pop(&l->closing_parts))) {
        struct closing *part = list_entry(node, struct closing, link);
        part->fn(l, part);
    }
    ls__door_shut(l);
    if (l->debug)
        ls__report_leaks(l);
    timer_cancel(&l->trim_timer);
    uv_handle_t *handles[] = {(uv_handle_t *)&l->prepare, (uv_handle_t *)&l->check,
                              (uv_handle_t *)&l->idle, (uv_handle_t *)&l->timer,
                              (uv_handle_t *)&l->door.async};
    for (size_t i = 0; i < sizeof(handles) / sizeof(*handles); i++)
        uv_close(handles[i], on_handle_closed);
}

static void cancel_roots(struct ls_loop *l)
{
    struct list work;
    list_init(&work);
    list_for_each(node, &l->roots) ls__cancel_add(list_entry(node, struct task, sibling), &work);
    ls__cancel_work(&work);
}

static void begin_closing(struct ls_loop *l)
{
    l->closing = true;
    l->record->flags |= LS_ABI_LOOP_CLOSING;
    cancel_roots(l);
    // An iteration must come: the idle handle sees to it, even when no task is left.
    if (!l->idle_active) {
        l->idle_active = true;
        uv_idle_start(&l->idle, on_idle);
    }
}

int ls_loop_close_at(struct ls_site *site, ls_loop *l, void (*done)(void *ctx), void *ctx)
{
    if (!l || l != ls__loop)
        return ls__wrong_loop(site, "ls_loop_close");
    if (l->current)
        return ls__misuse(site, -EPERM, "ls_loop_close: not from a task");
    if (l->closing)
        return -EALREADY;
    l->closed = done;
    l->closed_ctx = ctx;
    begin_closing(l);
    return 0;
}

ls_loop *ls_loop_current(void)
{
    return ls__loop;
}

uv_loop_t *ls_loop_uv(ls_loop *loop)
{
    return loop->uv;
}

int64_t ls_now(void)
{
    return clock_ns();
}

const char *ls_version(void)
{
    return LOOPSCOPE_VERSION;
}

// ---- a loop of our own ----

struct main_task {
    ls_fn fn;
    void *arg;
    int64_t result;
};

static void on_main_end(struct task *t, void *ctx)
{
    ((struct main_task *)ctx)->result = t->result;
    t->flags |= LS_ABI_DETACHED; // its result has been read here
    t->result = 0;
    t->state = LS_ABI_DONE;
    begin_closing(t->loop);
}

static void report_handle(uv_handle_t *handle, void *ctx)
{
    struct ls_loop *unused = ctx;
    (void)unused;
    if (!uv_is_closing(handle))
        ls__say("handle left open: %s %p", uv_handle_type_name(handle->type), (void *)handle);
}

int64_t ls_run_at(struct ls_site *site, const struct ls_options *options, ls_fn fn, void *arg)
{
    struct main_task main_task = {fn, arg, 0};
    struct ls_loop *l;
    uv_loop_t *uv = malloc(sizeof(*uv)); // not on the stack: it stays when handles are left
    if (!uv)
        return -ENOMEM;
    int r = uv_loop_init(uv);
    if (r < 0) {
        free(uv);
        return r;
    }
    r = loop_new(&l, uv, options, true);
    if (r < 0)
        goto close;
    bool debug = l->debug;
    ls_task handle = ls__task_new(l, site, fn, arg, NULL, NULL);
    if (handle.id < 0) {
        main_task.result = handle.id;
        begin_closing(l);
    } else {
        struct task *t = task_of(l, handle);
        t->on_end = on_main_end;
        t->on_end_ctx = &main_task;
    }
    while (ls__loop == l) // also when the program calls uv_stop
        uv_run(uv, UV_RUN_DEFAULT);
close:
    if (uv_loop_close(uv) == 0) {
        free(uv);
    } else if (r == 0) {
        ls__say("ls_run: the program left handles open on the loop");
        if (debug)
            uv_walk(uv, report_handle, NULL);
    }
    return r < 0 ? r : main_task.result;
}
