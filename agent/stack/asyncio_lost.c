// Tasks that nothing can wake: they wait in a lock, an event, a condition, a semaphore or a queue that only tasks have
// which wait themselves, for the same or for one another.
//
// What a task waits for is a future that the primitive holds. If somebody else has the primitive, or anything that
// leads to it (asyncio_reach.h), it may yet be given; if a task of those that wait may run, so may all that it holds be
// used. A primitive that only this one task has ever had is the usual way to wait for ever, and no mistake.
//
// Up to 3.13: later versions leave references on their stacks uncounted.
#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "asyncio_reach.h"
#include "clock.h"

#define MAX_TASKS     2000 // with more it would take too long
#define MAX_CAUSES    8    // of an exception
#define MAX_TRACEBACK 64
#define MAX_SLOTS     256 // of a frame
#define PACE          200 // it may take half a percent of a core

// Of tracebacks and frames, the same in all versions.
#define TB_NEXT      16
#define TB_FRAME     24
#define FRAME_INSIDE 24 // 3.11+

static bool is_type(struct cpython *py, uint64_t object, const char *name)
{
    const struct py_type *t = py_type_of(py, object);
    return t && !strcmp(t->name, name);
}

// ---- what the tracebacks of failed tasks hold: it is of no use to anybody ----

static void refer_frame(struct reach *r, uint64_t frame)
{
    struct cpython *py = r->py;
    bool met = reach_index(r, frame) != REACH_NONE;
    reach_refer(r, REACH_NONE, frame);
    if (met || !is_type(py, frame, "frame"))
        return;
    bool object = py->o.version < 0x030b; // which has no stack any more
    uint64_t at = object ? frame : py_pointer(py, frame + FRAME_INSIDE);
    uint64_t slots = object ? (py_pointer(py, at + py->o.fr_valuestack) - at - py->o.fr_locals) / 8
                     : at   ? task_frame_slots(py, at)
                            : 0;
    for (uint64_t i = 0; i < slots && i < MAX_SLOTS; i++)
        reach_refer(r, REACH_NONE, py_pointer(py, at + py->o.fr_locals + 8 * i));
}

static void refer_exception(struct reach *r, uint64_t exception)
{
    struct cpython *py = r->py;
    const uint64_t traceback = py->o.version < 0x030b ? 32 : 40; // then context and cause
    for (int i = 0; i < MAX_CAUSES && py_kind_of(py, exception) == PY_OTHER; i++) {
        uint64_t tb = py_pointer(py, exception + traceback);
        for (int k = 0; k < MAX_TRACEBACK && is_type(py, tb, "traceback"); k++) {
            refer_frame(r, py_pointer(py, tb + TB_FRAME));
            tb = py_pointer(py, tb + TB_NEXT);
        }
        exception = py_pointer(py, exception + traceback + 8);
    }
}

// ---- who lets whom run ----

static bool waits(const struct task_row *t)
{
    return t->state == TASK_WAITING && !(t->flags & TASKF_UNSTABLE);
}

static bool is_pending(const struct task_row *t)
{
    return t->state <= TASK_WAITING;
}

static void may_run(struct reach *r, uint64_t task)
{
    uint32_t run = reach_index(r, task | 1);
    if (run != REACH_NONE)
        r->all[run]->live = true;
}

// All children of a gathering future are tasks, which have the one that waits for it for their awaiter.
static bool gathers_tasks(struct cpython *py, uint64_t gathering)
{
    uint64_t list = py_attribute(py, gathering, "_children");
    uint64_t n = py_kind_of(py, list) == PY_LIST ? py_pointer(py, list + py->o.ob_size) : 0;
    uint64_t items = py_pointer(py, list + py->o.ls_item);
    for (uint64_t i = 0; i < n && i < MAX_TASKS; i++)
        if (py_kind_of(py, py_pointer(py, items + 8 * i)) != PY_TASK)
            return false;
    return n > 0 && n <= MAX_TASKS;
}

// A task is let run by the future that it waits for, or by the tasks that it awaits.
static void link_wait(struct reach *r, const struct task_row *t)
{
    struct cpython *py = r->py;
    uint32_t run = reach_index(r, t->address | 1), from = REACH_NONE;
    uint64_t waiter = py_pointer(py, t->address + py->o.t_waiter);
    switch (py_kind_of(py, waiter)) {
    case PY_TASK: from = reach_index(r, waiter | 1); break;
    case PY_FUTURE: from = reach_index(r, waiter); break;
    case PY_GATHERING:
        if (gathers_tasks(py, waiter))
            return;
        break;
    default: break;
    }
    if (from == REACH_NONE)
        may_run(r, t->address);
    else
        reach_link(r, from, run);
}

static void link_tasks(struct reach *r, const struct task_row *rows, int n)
{
    for (int i = 0; i < n; i++) {
        const struct task_row *t = &rows[i];
        if (waits(t))
            link_wait(r, t);
        if (!t->awaiter || !is_pending(t))
            continue;
        if (waits(t))
            reach_link(r, reach_index(r, t->address | 1), reach_index(r, t->awaiter | 1));
        else
            may_run(r, t->awaiter);
    }
}

static void build(struct reach *r, const struct task_row *rows, int n)
{
    for (int i = 0; i < n; i++) {
        if (waits(&rows[i]))
            reach_run(r, rows[i].address);
        else if (rows[i].state == TASK_FAILED)
            refer_exception(r, py_pointer(r->py, rows[i].address + r->py->o.t_exception));
    }
    reach_expand(r);
    link_tasks(r, rows, n);
    reach_settle(r);
}

static bool is_lost(const struct reach *r, const struct lost_suspect *s)
{
    uint32_t run = reach_index(r, s->task | 1), on = reach_index(r, s->primitive);
    return run != REACH_NONE && on != REACH_NONE && !r->all[run]->live && !r->all[on]->live &&
           r->all[on]->shared;
}

// One look; keeps of the suspects those that are lost, and returns their number.
static size_t look(struct cpython *py, const struct task_row *rows, int n, struct lost_suspect *s,
                   size_t nsuspects)
{
    struct reach r = {.py = py};
    size_t kept = 0;
    build(&r, rows, n);
    bool whole = r.expanded == r.n && !mem_spent(py->m);
    for (size_t i = 0; whole && i < nsuspects; i++)
        if (is_lost(&r, &s[i]))
            s[kept++] = s[i];
    reach_free(&r);
    return kept;
}

// ---- what was found last, until it is time to look again ----

static bool is_among(const struct lost_suspect *s, const struct lost_suspects *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].task == s->task && l->v[i].print == s->print)
            return true;
    return false;
}

static void keep_what_has_not_moved(struct asyncio *a, const struct lost_suspects *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->nlost; i++)
        if (is_among(&a->lost[i], l))
            a->lost[kept++] = a->lost[i];
    a->nlost = kept;
}

static void look_again(struct cpython *py, const struct task_row *rows, int n,
                       struct lost_suspects *l)
{
    struct asyncio *a = py->asyncio;
    int64_t begin = now_ns();
    a->nlost = look(py, rows, n, l->v, l->n);
    if (a->nlost) {
        mem_refresh(py->m);
        a->nlost = look(py, rows, n, l->v, a->nlost);
    }
    mem_forget(py->m);
    free(a->lost);
    a->lost = l->v;
    *l = (struct lost_suspects){0};
    int64_t now = now_ns();
    a->lost_next_ns = now + (now - begin) * PACE;
}

void lost_suspects_add(struct lost_suspects *l, struct lost_suspect s)
{
    if (list_room(l->v, l->n, l->capacity))
        l->v[l->n++] = s;
}

void lost_suspects_free(struct lost_suspects *l)
{
    free(l->v);
}

void lost_tasks_mark(struct cpython *py, struct task_row *rows, int n, struct lost_suspects *l)
{
    struct asyncio *a = py->asyncio;
    if (py->o.version >= 0x030e || n > MAX_TASKS || l->n == 0) {
        a->nlost = 0;
        return;
    }
    if (now_ns() >= a->lost_next_ns)
        look_again(py, rows, n, l);
    else
        keep_what_has_not_moved(a, l);
    const unsigned told = TASKF_CYCLE | TASKF_ORPHANED | TASKF_UNSTABLE;
    for (size_t i = 0; i < a->nlost; i++)
        for (int k = 0; k < n; k++)
            if (rows[k].address == a->lost[i].task && !(rows[k].flags & told) &&
                rows[k].state == TASK_WAITING)
                rows[k].flags |= TASKF_NO_WAKER;
}
