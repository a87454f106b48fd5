#include "asyncio_reach.h"

#include <stdlib.h>
#include <string.h>

#include "../list.h"

#define MAX_OBJECTS 50000 // what is not followed counts as held by somebody else
#define MAX_ITEMS   4096  // of a container
#define MAX_SLOTS   256   // of a frame
#define IMMORTAL    (1u << 30)

// Of PyTypeObject and of objects, the same in all versions.
#define TYPE_WEAKLIST    208
#define TP_MANAGED_WEAK  (1u << 3) // 3.12+
#define TP_TYPE_SUBCLASS (1u << 31)
#define PARTIAL_FUNCTION 16
#define PARTIAL_WORDS    3
#define DEQUE_LEFT_BLOCK 24 // then right block, left index, right index
#define DEQUE_BLOCK      64 // items of a block, between two links

void reach_free(struct reach *r)
{
    struct reach_object *o, *next;
    HASH_ITER (hh, r->by_address, o, next) {
        HASH_DEL(r->by_address, o);
        free(o);
    }
    free(r->all);
    free(r->links);
}

static struct reach_object *find(const struct reach *r, uint64_t address)
{
    struct reach_object *o;
    HASH_FIND(hh, r->by_address, &address, sizeof address, o);
    return o;
}

static struct reach_object *add(struct reach *r, uint64_t address, uint32_t refs)
{
    if (r->n == MAX_OBJECTS || !list_room(r->all, r->n, r->capacity))
        return NULL;
    struct reach_object *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    *o = (struct reach_object){.address = address,
                               .index = (uint32_t)r->n,
                               .task = REACH_NONE,
                               .links = REACH_NONE,
                               .refs = refs};
    r->all[r->n++] = o;
    HASH_ADD(hh, r->by_address, address, sizeof o->address, o);
    return o;
}

void reach_link(struct reach *r, uint32_t from, uint32_t to)
{
    if (from == REACH_NONE || to == REACH_NONE)
        return;
    if (!list_room(r->links, r->nlinks, r->links_capacity)) {
        r->all[to]->live = true; // for all that is known
        return;
    }
    r->links[r->nlinks] = (struct reach_link){to, r->all[from]->links};
    r->all[from]->links = (uint32_t)r->nlinks++;
}

uint32_t reach_index(const struct reach *r, uint64_t address)
{
    const struct reach_object *o = find(r, address);
    return o ? o->index : REACH_NONE;
}

static bool is_plain(enum py_kind k)
{
    return k == PY_BAD || k == PY_STR || k == PY_INT || k == PY_FLOAT || k == PY_CODE;
}

static bool is_coroutine(enum py_kind k)
{
    return k == PY_COROUTINE || k == PY_GENERATOR || k == PY_ASYNC_GENERATOR;
}

void reach_refer(struct reach *r, uint32_t from, uint64_t object)
{
    uint32_t refs;
    enum py_kind kind = object & 7 ? PY_BAD : py_kind_of(r->py, object);
    if (is_plain(kind) || !mem_u32(r->py->m, object, &refs) || refs >= IMMORTAL)
        return;
    struct reach_object *o = find(r, object);
    if (!o && !(o = add(r, object, refs)))
        return;
    o->inside++;
    if (from == REACH_NONE || o->own)
        return;
    if (is_coroutine(kind) && o->task == REACH_NONE)
        o->task = r->all[from]->task;
    reach_link(r, from, o->index);
}

uint32_t reach_run(struct reach *r, uint64_t task)
{
    struct reach_object *o = find(r, task | 1);
    if (o || !(o = add(r, task | 1, 0)))
        return o ? o->index : REACH_NONE;
    o->task = o->index;
    uint64_t coroutine = py_pointer(r->py, task + r->py->o.t_coro);
    reach_refer(r, o->index, coroutine);
    struct reach_object *c = find(r, coroutine);
    if (c)
        c->own = true;
    return o->index;
}

// ---- what an object holds ----

static void refer_words(struct reach *r, uint32_t from, uint64_t address, uint64_t n)
{
    for (uint64_t i = 0; i < n && i < MAX_ITEMS; i++)
        reach_refer(r, from, py_pointer(r->py, address + 8 * i));
}

// A context manager on a frame's stack may end the wait within it, as a timeout does.
static void may_be_ended_by(struct reach *r, uint32_t coroutine, uint64_t value)
{
    if (py_kind_of(r->py, value) != PY_METHOD || r->all[coroutine]->task == REACH_NONE)
        return;
    uint64_t self = py_pointer(r->py, value + r->py->o.mt_self);
    reach_link(r, reach_index(r, self), r->all[coroutine]->task);
}

static void expand_slots(struct reach *r, uint32_t from, uint64_t frame, bool usable)
{
    uint64_t slots = task_frame_slots(r->py, frame);
    for (uint64_t i = 0; i < slots && i < MAX_SLOTS; i++)
        reach_refer(r, usable ? from : REACH_NONE,
                    py_pointer(r->py, frame + r->py->o.fr_locals + 8 * i));
}

static void expand_coroutine(struct reach *r, uint32_t from, uint64_t object)
{
    struct task_frame f;
    enum py_frame_state state = PY_ENDED;
    uint64_t next;
    if (!task_step(r->py, object, &f, &state, &next) || state == PY_EXECUTING || state == PY_ENDED)
        return;
    expand_slots(r, from, task_frame_base(r->py, object), true);
}

static void expand_deque(struct reach *r, uint32_t from, uint64_t deque)
{
    uint64_t n = py_pointer(r->py, deque + r->py->o.ob_size);
    uint64_t block = py_pointer(r->py, deque + DEQUE_LEFT_BLOCK);
    uint64_t at = py_pointer(r->py, deque + DEQUE_LEFT_BLOCK + 16);
    for (uint64_t i = 0; i < n && i < MAX_ITEMS && block && at < DEQUE_BLOCK; i++) {
        reach_refer(r, from, py_pointer(r->py, block + 8 + 8 * at));
        if (++at == DEQUE_BLOCK) {
            at = 0;
            block = py_pointer(r->py, block + 8 + 8 * DEQUE_BLOCK);
        }
    }
}

struct visit {
    struct reach *r;
    uint32_t from;
};

static bool visit_value(void *arg, uint64_t key, uint64_t value)
{
    const struct visit *v = arg;
    (void)key;
    reach_refer(v->r, v->from, value);
    return false;
}

static void expand_set(struct reach *r, uint32_t from, uint64_t set)
{
    size_t n;
    bool cut;
    uint64_t *items = py_set_items(r->py, set, &n, &cut);
    for (size_t i = 0; items && i < n && i < MAX_ITEMS; i++)
        reach_refer(r, from, items[i]);
    free(items);
}

// Whoever has a weak reference can reach it, and is not counted.
static bool has_weak_references(struct cpython *py, uint64_t object, const struct py_type *t)
{
    if (py->o.version >= 0x030c && t->flags & TP_MANAGED_WEAK)
        return py_pointer(py, object - 32) != 0;
    int64_t at = py_long_word(py, t->address + TYPE_WEAKLIST);
    return at > 0 && at < 4096 && py_pointer(py, object + (uint64_t)at) != 0;
}

// Classes, modules and the loop lead to everything, and are always held by somebody else.
static bool is_instance(const struct py_type *t)
{
    return !(t->flags & TP_TYPE_SUBCLASS) && strcmp(t->name, "module") != 0 &&
           !strstr(t->name, "Loop");
}

static void expand_instance(struct reach *r, uint32_t from, uint64_t object)
{
    const struct py_type *t = py_type_of(r->py, object);
    struct visit v = {r, from};
    if (!t || !is_instance(t))
        return;
    r->all[from]->live |= has_weak_references(r->py, object, t);
    py_attributes_each(r->py, object, visit_value, &v);
}

// Its coroutine is there from the beginning.
static void expand_run(struct reach *r, uint32_t from, uint64_t task)
{
    const struct cpython_offsets *o = &r->py->o;
    reach_refer(r, from, py_pointer(r->py, task + o->t_callback0));
    reach_refer(r, from, py_pointer(r->py, task + o->t_callbacks));
    reach_refer(r, REACH_NONE, py_pointer(r->py, task + o->t_waiter));
}

static void expand(struct reach *r, uint32_t i)
{
    struct cpython *py = r->py;
    const struct cpython_offsets *o = &py->o;
    uint64_t object = r->all[i]->address;
    struct visit v = {r, i};
    if (object & 1) {
        expand_run(r, i, object & ~1ull);
        return;
    }
    switch (py_kind_of(py, object)) {
    case PY_COROUTINE:
    case PY_GENERATOR:
    case PY_ASYNC_GENERATOR: expand_coroutine(r, i, object); break;
    case PY_COROUTINE_WRAPPER: refer_words(r, i, object + o->cw_coroutine, 1); break;
    case PY_ASEND: refer_words(r, i, object + o->ags_gen, 1); break;
    case PY_ATHROW: refer_words(r, i, object + o->agt_gen, 1); break;
    case PY_FUTURE_ITER: refer_words(r, i, object + o->fi_future, 1); break;
    case PY_METHOD: refer_words(r, i, object + o->mt_self - 8, 2); break; // function, self
    case PY_FUNCTION: refer_words(r, i, object + o->fn_closure, 1); break;
    case PY_CELL: refer_words(r, i, object + o->cell_ref, 1); break;
    case PY_PARTIAL: refer_words(r, i, object + PARTIAL_FUNCTION, PARTIAL_WORDS); break;
    case PY_TUPLE:
        refer_words(r, i, object + o->tu_item, py_pointer(py, object + o->ob_size));
        break;
    case PY_LIST:
        refer_words(r, i, py_pointer(py, object + o->ls_item), py_pointer(py, object + o->ob_size));
        break;
    case PY_DEQUE: expand_deque(r, i, object); break;
    case PY_DICT: py_dict_each(py, object, visit_value, &v); break;
    case PY_SET: expand_set(r, i, object); break;
    case PY_LOCK:
    case PY_CONDITION:
    case PY_OTHER: expand_instance(r, i, object); break;
    default: break; // a future lets its tasks run (asyncio_lost.c); a task itself leads nowhere
    }
}

static void link_managers(struct reach *r, uint32_t i)
{
    uint64_t object = r->all[i]->address;
    if (object & 1 || r->all[i]->task == REACH_NONE)
        return;
    uint64_t frame = task_frame_base(r->py, object), slots = task_frame_slots(r->py, frame);
    for (uint64_t k = 0; k < slots && k < MAX_SLOTS; k++)
        may_be_ended_by(r, i, py_pointer(r->py, frame + r->py->o.fr_locals + 8 * k));
}

void reach_expand(struct reach *r)
{
    for (; r->expanded < r->n && !mem_spent(r->py->m); r->expanded++)
        expand(r, (uint32_t)r->expanded);
    for (size_t i = 0; i < r->expanded; i++)
        link_managers(r, (uint32_t)i);
}

// ---- who reaches what ----

static void spread_live(struct reach *r, uint32_t *stack)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct reach_object *o = r->all[i];
        o->live |= o->refs > o->inside && !o->own;
        if (o->live)
            stack[n++] = o->index;
    }
    while (n > 0) {
        uint32_t from = stack[--n];
        for (uint32_t l = r->all[from]->links; l != REACH_NONE; l = r->links[l].next) {
            struct reach_object *to = r->all[r->links[l].to];
            if (to->live)
                continue;
            to->live = true;
            stack[n++] = to->index;
        }
    }
}

static bool give(struct reach_object *o, uint64_t holder, bool shared)
{
    if (o->shared || (o->holder == holder && !shared))
        return false;
    o->shared = shared || (o->holder && o->holder != holder);
    o->holder = holder;
    return true;
}

// Not from one task to another: what leads to a task's run is no way to what it holds.
static void spread_holders(struct reach *r, uint32_t *stack)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct reach_object *o = r->all[i];
        if (o->address & 1 && give(o, o->address, false))
            stack[n++] = o->index;
        while (n > 0) {
            const struct reach_object *from = r->all[stack[--n]];
            for (uint32_t l = from->links; l != REACH_NONE; l = r->links[l].next) {
                struct reach_object *to = r->all[r->links[l].to];
                if (!(to->address & 1) && give(to, from->holder, from->shared))
                    stack[n++] = to->index;
            }
        }
    }
}

void reach_settle(struct reach *r)
{
    uint32_t *stack = malloc((2 * r->n + r->nlinks + 1) * sizeof *stack);
    if (!stack) {
        for (size_t i = 0; i < r->n; i++)
            r->all[i]->live = true;
        return;
    }
    spread_live(r, stack);
    spread_holders(r, stack);
    free(stack);
}
