// The answer to "which tasks are there": rows decoded block by block, each block read twice.
//
// A block is some thousand tasks in order of address. Its pages are fetched in batches, level by
// level (task objects, coroutines and names, what those await), decoded from the cache, then
// fetched again and compared: what changed in between is marked unstable. Memory is
// bounded by the block, not by the number of tasks.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "../snapshot/arena.h"
#include "asyncio.h"

#define BLOCK      2048
#define ERROR_ARGS 24 // of BaseException

struct answer {
    struct cpython *py;
    struct task_list list;
    struct arena *arena;
    struct task_row *rows;
    int nrows, max_rows;
    struct wait_graph graph;
    struct lock_waits locks; // of stable tasks, as the suspects
    struct lost_suspects suspects;
    uint64_t *coroutines; // of all tasks; for the collector walk
    size_t ncoroutines;
    int64_t unstable, torn;
    struct task block[BLOCK];
    uint64_t prints[BLOCK];
    bool torn_first[BLOCK];
    int row_of[BLOCK]; // -1: none was kept
};

static const char *text(struct answer *a, const char *s)
{
    return s && *s ? arena_strdup(a->arena, s) : NULL;
}

static const char *site_text(struct answer *a, const char *file, int line)
{
    char buf[PY_NAME_MAX + 16];
    snprintf(buf, sizeof buf, "%s:%d", file, line);
    return text(a, buf);
}

static bool is_running(const struct answer *a, uint64_t task)
{
    for (int i = 0; i < a->list.nrunning; i++)
        if (a->list.running[i] == task)
            return true;
    return false;
}

static enum task_state state_of(const struct answer *a, const struct task *t)
{
    if (t->state == 1)
        return TASK_CANCELLED;
    if (t->state == 2)
        return py_kind_of(a->py, t->exception) == PY_OTHER ? TASK_FAILED : TASK_DONE;
    if (is_running(a, t->address))
        return TASK_RUNNING;
    if (t->frame_state == PY_CREATED)
        return TASK_NEW;
    return t->waiter ? TASK_WAITING : TASK_READY;
}

static unsigned flags_of(struct answer *a, const struct task *t, enum task_state state)
{
    unsigned flags = 0;
    bool pending = t->state == 0;
    if (state == TASK_NEW)
        flags |= TASKF_NEVER_STARTED;
    if (state == TASK_FAILED && t->log_tb)
        flags |= TASKF_ERROR_UNREAD;
    if (pending && (t->must_cancel || (t->cancels > 0 && asyncio_cancels_tell(a->py))))
        flags |= TASKF_CANCEL_REQUESTED;
    if (state == TASK_WAITING) {
        enum task_hold hold = task_hold(a->py, t);
        flags |= hold == TASK_GARBAGE ? TASKF_ORPHANED : hold == TASK_UNHELD ? TASKF_UNHELD : 0;
    }
    return flags;
}

// "ValueError: text" where the text is the only argument.
static const char *error_text(struct answer *a, uint64_t exception)
{
    struct cpython *py = a->py;
    char message[PY_NAME_MAX], buf[PY_NAME_MAX + 64];
    const struct py_type *t = py_type_of(py, exception);
    if (!t)
        return NULL;
    uint64_t args = py_pointer(py, exception + ERROR_ARGS);
    bool has = py_kind_of(py, args) == PY_TUPLE && py_pointer(py, args + py->o.ob_size) > 0 &&
               py_string(py, py_pointer(py, args + py->o.tu_item), message, sizeof message);
    snprintf(buf, sizeof buf, "%s%s%s", t->name, has ? ": " : "", has ? message : "");
    return text(a, buf);
}

static const char *waits_on(struct answer *a, const struct task *t)
{
    char buf[PY_NAME_MAX + 16], name[PY_NAME_MAX];
    int64_t number;
    struct task other = {0};
    switch (t->waiter ? py_kind_of(a->py, t->waiter) : PY_BAD) {
    case PY_BAD: return NULL;
    case PY_TASK:
        other.name = py_pointer(a->py, t->waiter + a->py->o.t_name);
        task_name(a->py, &other, name, sizeof name, &number);
        snprintf(buf, sizeof buf, "task %s", name);
        return text(a, buf);
    case PY_GATHERING: return "gather";
    default: break;
    }
    const struct py_code *c = t->nframes ? py_code_at(a->py, t->frames[t->nframes - 1].code) : NULL;
    return c && c->runtime && strstr(c->file, "/asyncio/") ? c->function : "future";
}

// Innermost first; await_site is the innermost frame of the program itself.
static void fill_chain(struct answer *a, const struct task *t, struct task_row *row)
{
    struct frame *frames = arena_alloc(a->arena, (t->nframes ? t->nframes : 1) * sizeof *frames);
    int n = 0;
    for (int i = t->nframes - 1; i >= 0; i--) {
        const struct py_code *c = py_code_at(a->py, t->frames[i].code);
        if (!c)
            continue;
        struct frame *f = &frames[n++];
        *f = (struct frame){.function = c->function,
                            .file = c->file,
                            .line = py_line(a->py, c, t->frames[i].instr),
                            .module = c->file,
                            .kind = FRAME_PYTHON,
                            .runtime = c->runtime};
        if (!row->await_site && !c->runtime)
            row->await_site = site_text(a, c->file, f->line);
    }
    row->chain = frames;
    row->nchain = n;
}

static void fill_coroutine(struct answer *a, uint64_t coroutine, struct task_row *row, char *buf,
                           size_t n)
{
    const struct py_code *c = task_code(a->py, coroutine);
    const char *name = task_coroutine_name(a->py, coroutine, c, buf, n);
    row->coroutine = name == buf ? text(a, buf) : name;
    row->spawn_site = c ? c->site : NULL;
}

static void fill_row(struct answer *a, const struct task *t, enum task_state state, unsigned flags,
                     struct task_row *row)
{
    char name[PY_NAME_MAX], buf[PY_NAME_MAX];
    *row = (struct task_row){.address = t->address,
                             .awaiter = t->awaiter,
                             .state = state,
                             .flags = flags,
                             .sleep_since_ns = INT64_MIN};
    task_name(a->py, t, name, sizeof name, &row->number);
    row->name = text(a, name);
    fill_coroutine(a, t->coroutine, row, buf, sizeof buf);
    fill_chain(a, t, row);
    if (state == TASK_WAITING) {
        row->waits_on = waits_on(a, t);
        row->sleep_since_ns = task_sleep_since(a->py, t);
    }
    if (state == TASK_FAILED)
        row->error = error_text(a, t->exception);
}

// A row for the task, or -1. When all are taken, one that has something to report takes the place
// of one that has not.
static int row_for(struct answer *a, unsigned flags)
{
    if (a->nrows < a->max_rows)
        return a->nrows++;
    for (int i = 0; flags && i < a->nrows; i++)
        if (!a->rows[i].flags)
            return i;
    return -1;
}

static void read_block(struct answer *a, const uint64_t *addresses, size_t n)
{
    struct cpython *py = a->py;
    task_fetch(py, addresses, n);
    for (size_t i = 0; i < n; i++) {
        struct task *t = &a->block[i];
        a->row_of[i] = -1;
        a->torn_first[i] = !task_read(py, addresses[i], t);
        if (a->torn_first[i])
            continue;
        a->prints[i] = task_fingerprint(py, t);
        t->awaiter = task_awaiter(py, t);
        t->waits_in = task_waits_in(py, t);
        t->wanted_lock = task_wanted_lock(py, t);
        enum task_state state = state_of(a, t);
        unsigned flags = flags_of(a, t, state);
        int row = row_for(a, flags);
        a->row_of[i] = row;
        if (row >= 0)
            fill_row(a, t, state, flags, &a->rows[row]);
    }
}

static bool is_same_hold(struct answer *a, struct task *t, unsigned flags)
{
    uint32_t refs;
    if (!(flags & (TASKF_ORPHANED | TASKF_UNHELD)))
        return true;
    if (!mem_u32(a->py->m, t->address, &refs) || refs != t->refs)
        return false;
    enum task_hold hold = task_hold(a->py, t);
    return hold == (flags & TASKF_ORPHANED ? TASK_GARBAGE : TASK_UNHELD);
}

// The second look. What could not be read the first time and still cannot was no task any more.
static void check_block(struct answer *a, size_t n)
{
    struct cpython *py = a->py;
    mem_refresh(py->m);
    for (size_t i = 0; i < n; i++) {
        struct task *t = &a->block[i];
        if (a->torn_first[i]) {
            a->torn++;
            continue;
        }
        unsigned flags = a->row_of[i] >= 0 ? a->rows[a->row_of[i]].flags : 0;
        bool stable = a->prints[i] && task_fingerprint(py, t) == a->prints[i] &&
                      py_kind_of(py, t->address) == PY_TASK && is_same_hold(a, t, flags);
        if (!stable) {
            a->unstable++;
            if (a->row_of[i] >= 0)
                a->rows[a->row_of[i]].flags |= TASKF_UNSTABLE;
        } else {
            if (t->awaiter)
                wait_graph_add(&a->graph, t->address, t->awaiter);
            if (t->wanted_lock)
                lock_waits_add(&a->locks, t->wanted_lock, t->address);
            if (t->waits_in)
                lost_suspects_add(&a->suspects,
                                  (struct lost_suspect){t->address, t->waits_in, a->prints[i]});
        }
        a->coroutines[a->ncoroutines++] = t->coroutine;
    }
    mem_forget(py->m);
}

static struct task_row *row_of(const struct answer *a, uint64_t task)
{
    for (int i = 0; task && i < a->nrows; i++)
        if (a->rows[i].address == task)
            return &a->rows[i];
    return NULL;
}

// One that had nothing to report may have had to make room.
static void add_waiter(struct answer *a, uint64_t address)
{
    struct task t;
    int i = task_read(a->py, address, &t) && !t.state ? row_for(a, TASKF_CYCLE) : -1;
    if (i < 0)
        return;
    t.awaiter = task_awaiter(a->py, &t);
    fill_row(a, &t, state_of(a, &t), flags_of(a, &t, state_of(a, &t)), &a->rows[i]);
}

static void tell_lock_waits(struct answer *a)
{
    char buf[PY_NAME_MAX + 32];
    for (size_t i = 0; i < a->locks.n; i++) {
        const struct lock_wait *w = &a->locks.v[i];
        if (!w->holder || !wait_graph_cycle(&a->graph, w->task))
            continue;
        if (!row_of(a, w->task))
            add_waiter(a, w->task);
        struct task_row *waiter = row_of(a, w->task), *holder = row_of(a, w->holder);
        if (!waiter || !holder)
            continue;
        snprintf(buf, sizeof buf, "a lock that task %s holds", holder->name ? holder->name : "?");
        waiter->waits_on = text(a, buf);
    }
    mem_forget(a->py->m);
}

// The awaiter of a task on a cycle is told as the one on it, so that the way back can be followed.
static void mark_cycles(struct answer *a)
{
    for (int i = 0; i < a->nrows; i++) {
        struct task_row *r = &a->rows[i];
        uint64_t waiter = r->flags & TASKF_UNSTABLE ? 0 : wait_graph_cycle(&a->graph, r->address);
        if (!waiter)
            continue;
        r->flags |= TASKF_CYCLE;
        r->awaiter = waiter;
    }
}

static void add_never_awaited(struct answer *a, uint64_t coroutine)
{
    char buf[PY_NAME_MAX];
    int i = row_for(a, TASKF_NEVER_AWAITED);
    if (i < 0)
        return; // counted as cut
    a->rows[i] = (struct task_row){.address = coroutine,
                                   .number = -1,
                                   .state = TASK_NEW,
                                   .flags = TASKF_NEVER_AWAITED | TASKF_NEVER_STARTED,
                                   .sleep_since_ns = INT64_MIN};
    fill_coroutine(a, coroutine, &a->rows[i], buf, sizeof buf);
}

// true: one that the task lists did not have.
static bool add_unread(struct answer *a, uint64_t address)
{
    struct task t;
    if (bsearch(&address, a->list.addresses, a->list.n, sizeof address, list_by_number) ||
        !task_read(a->py, address, &t))
        return false;
    int i = row_for(a, TASKF_ERROR_UNREAD);
    if (i >= 0)
        fill_row(a, &t, TASK_FAILED, TASKF_ERROR_UNREAD, &a->rows[i]);
    return true;
}

static int64_t walk_collector(struct answer *a)
{
    struct gc_found found;
    int64_t added = 0;
    qsort(a->coroutines, a->ncoroutines, sizeof *a->coroutines, list_by_number);
    asyncio_gc_walk(a->py, a->coroutines, a->ncoroutines, &found);
    mem_forget(a->py->m);
    for (size_t i = 0; i < found.nnever; i++)
        add_never_awaited(a, found.never_awaited[i]);
    for (size_t i = 0; i < found.nunread; i++)
        added += add_unread(a, found.unread[i]);
    free(found.never_awaited);
    free(found.unread);
    return added + (int64_t)found.nnever;
}

static int64_t read_all(struct answer *a, bool gc_walk)
{
    size_t done = 0;
    mem_forget(a->py->m);
    for (; done < a->list.n && !mem_spent(a->py->m); done += BLOCK) {
        size_t n = a->list.n - done < BLOCK ? a->list.n - done : BLOCK;
        read_block(a, a->list.addresses + done, n);
        check_block(a, n);
    }
    if (a->locks.n) {
        lock_waits_find_holders(a->py, &a->locks, &a->graph);
        tell_lock_waits(a);
    }
    mark_cycles(a);
    if (a->nrows == (int64_t)a->list.n - a->torn && !a->list.cut && done >= a->list.n)
        lost_tasks_mark(a->py, a->rows, a->nrows, &a->suspects);
    int64_t more = gc_walk ? walk_collector(a) : 0;
    int64_t unread = done < a->list.n ? (int64_t)(a->list.n - done) : 0;
    a->list.cut += unread;
    return (int64_t)a->list.n - a->torn + more;
}

static struct answer *answer_new(struct cpython *py, int max_rows)
{
    struct answer *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->py = py;
    a->max_rows = max_rows;
    arena_free(py->asyncio->arena);
    a->arena = py->asyncio->arena = arena_new();
    a->rows = arena_alloc(a->arena, ((size_t)max_rows + 1) * sizeof *a->rows);
    task_list_collect(py, &a->list);
    a->coroutines = malloc((a->list.n + 1) * sizeof *a->coroutines);
    return a;
}

static void answer_free(struct answer *a)
{
    task_list_free(&a->list);
    wait_graph_free(&a->graph);
    lock_waits_free(&a->locks);
    lost_suspects_free(&a->suspects);
    free(a->coroutines);
    free(a);
}

void asyncio_tasks(void *self, struct mem *m, bool gc_walk, int max_rows, struct tasks_answer *ret)
{
    struct cpython *py = self;
    *ret = (struct tasks_answer){0};
    py_begin(py, m);
    if (!asyncio_find(py, py_pointer(py, py->runtime + py->o.rt_interp_head))) {
        ret->why_not = "asyncio is not imported";
        return;
    }
    struct answer *a = max_rows < 0 ? NULL : answer_new(py, max_rows);
    if (!a || !a->coroutines) {
        ret->why_not = "out of memory";
    } else {
        int64_t total = read_all(a, gc_walk);
        *ret =
            (struct tasks_answer){.nrows = a->nrows,
                                  .rows = a->rows,
                                  .total = total,
                                  .unstable = a->unstable,
                                  .cut = a->list.cut + (total > a->nrows ? total - a->nrows : 0)};
    }
    if (a)
        answer_free(a);
}
