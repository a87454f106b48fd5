// The collector's lists hold every container object: the one place to find coroutines that nothing
// awaits and finished tasks that no task list holds any more. About 0.2 us an object, so only on
// request.
//
// Where the three generations' heads lie within the interpreter state changed between patch
// releases; they are found by what they are: circular lists, 24 bytes apart, whose neighbours point
// back.
#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "asyncio.h"

#define MAX_FOUND   100000
#define MAX_OBJECTS 50000000
#define MAX_BROKEN  100
#define GC_HEAD     16 // before each object: next and previous, low bits used as flags
#define HEAD_TRIES  12
#define FORGET      8192 // pages kept while walking

static uint64_t link_at(struct cpython *py, uint64_t address)
{
    return py_pointer(py, address) & ~3ull;
}

// 2: a list with members, 1: an empty one, 0: none.
static int is_list_head(struct cpython *py, uint64_t head)
{
    uint64_t next = link_at(py, head), previous = link_at(py, head + 8);
    if (!next || !previous || link_at(py, next + 8) != head || link_at(py, previous) != head)
        return 0;
    return next == head ? 1 : 2;
}

// How many of the three heads at this place are such lists; 0 when all of them are empty.
static int count_heads(struct cpython *py, uint64_t at)
{
    int heads = 0, full = 0;
    for (int i = 0; i < 3; i++) {
        int is = is_list_head(py, at + 24 * (uint64_t)i);
        heads += is > 0;
        full += is > 1;
    }
    return full ? heads : 0;
}

// The expected place first; a younger generation may be changing under us, so it is looked at again
// and again before two heads must do (the permanent generation behind them is a list as well).
static uint64_t find_heads(struct cpython *py, uint64_t interpreter)
{
    uint64_t expected = interpreter + (uint64_t)py->o.is_gc, from = (expected & ~7ull) - 24;
    for (int i = 0; i < HEAD_TRIES && !mem_spent(py->m); i++) {
        mem_forget(py->m);
        int wanted = i < HEAD_TRIES - 1 ? 3 : 2;
        if (count_heads(py, expected) >= wanted)
            return expected;
        for (uint64_t at = from; i > HEAD_TRIES / 2 && at <= from + 64; at += 4)
            if (count_heads(py, at) >= wanted)
                return at;
    }
    return 0;
}

static bool add(uint64_t **list, size_t *n, uint64_t address)
{
    if (!*list)
        *list = malloc(MAX_FOUND * sizeof **list);
    if (!*list || *n == MAX_FOUND)
        return false;
    (*list)[(*n)++] = address;
    return true;
}

struct gc_walk {
    struct cpython *py;
    const uint64_t *coroutines;
    size_t n;
    struct gc_found *found;
};

static void look_at(struct gc_walk *w, uint64_t object, uint64_t type)
{
    struct task_frame f;
    enum py_frame_state state = PY_ENDED;
    uint64_t next;
    const struct py_type *t = py_type_at(w->py, type);
    if (!t)
        w->found->broken++;
    else if (t->kind == PY_COROUTINE) {
        if (task_step(w->py, object, &f, &state, &next) && state == PY_CREATED &&
            !bsearch(&object, w->coroutines, w->n, sizeof object, list_by_number))
            add(&w->found->never_awaited, &w->found->nnever, object);
    } else if (t->kind == PY_TASK) {
        struct task task;
        if (task_read(w->py, object, &task) && task.state == 2 && task.exception && task.log_tb)
            add(&w->found->unread, &w->found->nunread, object);
    }
}

static void walk_generation(struct gc_walk *w, uint64_t head)
{
    struct cpython *py = w->py;
    uint64_t previous = head, node = link_at(py, head), fetched = mem_pages(py->m);
    for (int64_t left = MAX_OBJECTS; node && node != head && left && !mem_spent(py->m); left--) {
        uint64_t words[4]; // next, previous, reference count, type
        mem_ahead(py->m, node);
        if (!mem_read(py->m, node, words, sizeof words)) {
            w->found->broken++;
            return;
        }
        if ((words[1] & ~3ull) != previous && ++w->found->broken > MAX_BROKEN)
            return; // a collection is under way
        w->found->objects++;
        look_at(w, node + GC_HEAD, words[3]);
        if ((words[0] & ~3ull) == node)
            return;
        previous = node;
        node = words[0] & ~3ull;
        if (mem_pages(py->m) - fetched > FORGET) {
            mem_forget(py->m);
            fetched = mem_pages(py->m);
        }
    }
}

void asyncio_gc_walk(struct cpython *py, const uint64_t *coroutines, size_t n, struct gc_found *ret)
{
    struct gc_walk w = {py, coroutines, n, ret};
    uint64_t interpreter = py_pointer(py, py->runtime + py->o.rt_interp_head);
    *ret = (struct gc_found){0};
    for (int i = 0; interpreter && i < 64 && !mem_spent(py->m); i++) {
        uint64_t heads = find_heads(py, interpreter);
        for (int g = 0; heads && g < 3; g++)
            walk_generation(&w, heads + 24 * (uint64_t)g);
        if (heads)
            walk_generation(&w, heads + (uint64_t)(py->o.is_gc_permanent - py->o.is_gc));
        interpreter = py_pointer(py, interpreter + py->o.is_next);
    }
}
