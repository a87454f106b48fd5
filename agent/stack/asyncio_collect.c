// Which tasks there are: the WeakSet and the set of the module, and from 3.14 on the lists in the
// states of threads and interpreters.
#include <stdlib.h>

#include "../list.h"
#include "asyncio.h"

#define MAX_TASKS        4000000
#define MAX_INTERPRETERS 64
#define WEAK_BLOCK       8192
#define SET_TRIES        5
#define MAX_THREADS      4096

bool task_list_add(struct task_list *l, uint64_t address)
{
    if (!address || address & 7)
        return true;
    if (l->n == MAX_TASKS || !list_room(l->addresses, l->n, l->capacity)) {
        l->cut++;
        return false;
    }
    l->addresses[l->n++] = address;
    return true;
}

void task_list_free(struct task_list *l)
{
    free(l->addresses);
}

static void add_running(struct task_list *l, uint64_t task)
{
    if (task && l->nrunning < (int)(sizeof l->running / sizeof *l->running))
        l->running[l->nrunning++] = task;
}

// A set that was rebuilt under our eyes is read again, from the process and not from the cache: the
// new table may lie where the one before the last lay.
static uint64_t *read_set(struct cpython *py, struct task_list *l, uint64_t set, size_t *n)
{
    bool cut = true;
    uint64_t *items = NULL;
    for (int i = 0; cut && i < SET_TRIES && !mem_spent(py->m); i++) {
        if (i)
            mem_forget(py->m);
        free(items);
        items = py_set_items(py, set, n, &cut);
    }
    l->cut += cut;
    return items;
}

// The weak references' targets; a dead one's is None, which is no task. In order of address and in
// blocks, so that only few of their pages are held at a time.
static void add_weak_set(struct cpython *py, struct task_list *l, uint64_t weak_set)
{
    size_t n = 0;
    uint64_t *items = read_set(py, l, py_attribute(py, weak_set, "data"), &n);
    if (!items)
        return;
    qsort(items, n, sizeof *items, list_by_number);
    for (size_t i = 0; i < n; i++) {
        if (i % WEAK_BLOCK == 0) {
            mem_forget(py->m);
            mem_prefetch(py->m, items + i, n - i < WEAK_BLOCK ? n - i : WEAK_BLOCK, 32);
        }
        if (py_kind_of(py, items[i]) == PY_WEAKREF)
            task_list_add(l, py_pointer(py, items[i] + py->o.wr_object));
    }
    free(items);
}

static void add_set(struct cpython *py, struct task_list *l, uint64_t set)
{
    size_t n = 0;
    uint64_t *items = read_set(py, l, set, &n);
    for (size_t i = 0; items && i < n; i++)
        task_list_add(l, items[i]);
    free(items);
}

// A node that was removed has null links and ends the walk: then the rest is looked for from the
// other end.
static void add_linked(struct cpython *py, struct task_list *l, uint64_t head)
{
    for (int direction = 0; direction < 2; direction++) {
        uint64_t previous = head, node = py_pointer(py, head + 8 * direction);
        size_t left = MAX_TASKS;
        while (node && node != head && left-- && !mem_spent(py->m)) {
            uint64_t links[2];
            mem_ahead(py->m, node);
            if (!mem_read(py->m, node, links, sizeof links) || links[!direction] != previous)
                break;
            if (!task_list_add(l, node - py->o.t_node))
                return;
            previous = node;
            node = links[direction];
        }
        if (node == head)
            return;
    }
    l->cut++;
}

static uint64_t module_value(struct cpython *py, const char *name)
{
    uint64_t v = py->asyncio->c_module ? py_dict_get(py, py->asyncio->c_module, name) : 0;
    return v ? v : py_dict_get(py, py->asyncio->tasks_module, name);
}

static bool visit_current(void *arg, uint64_t loop, uint64_t task)
{
    (void)loop;
    add_running(arg, task);
    return false;
}

static void add_module_tasks(struct cpython *py, struct task_list *l)
{
    bool later = py->o.version >= 0x030c;
    uint64_t set = module_value(py, later ? "_scheduled_tasks" : "_all_tasks");
    if (set)
        add_weak_set(py, l, set);
    uint64_t eager = later ? module_value(py, "_eager_tasks") : 0;
    if (py_kind_of(py, eager) == PY_SET)
        add_set(py, l, eager);
    uint64_t current = py->o.ts_running_task < 0 ? module_value(py, "_current_tasks") : 0;
    if (py_kind_of(py, current) == PY_DICT)
        py_dict_each(py, current, visit_current, l);
}

static void add_thread_tasks(struct cpython *py, struct task_list *l, uint64_t interpreter)
{
    uint64_t thread = py_pointer(py, interpreter + py->o.is_threads);
    for (int i = 0; thread && i < MAX_THREADS; i++) {
        add_running(l, py_pointer(py, thread + py->o.ts_running_task));
        add_linked(py, l, thread + py->o.ts_tasks);
        thread = py_pointer(py, thread + py->o.ts_next);
    }
    add_linked(py, l, interpreter + py->o.is_tasks);
}

void task_list_collect(struct cpython *py, struct task_list *l)
{
    uint64_t interpreter = py_pointer(py, py->runtime + py->o.rt_interp_head);
    for (int i = 0; interpreter && i < MAX_INTERPRETERS && !mem_spent(py->m); i++) {
        if (asyncio_find(py, interpreter)) {
            add_module_tasks(py, l);
            if (py->o.ts_tasks >= 0)
                add_thread_tasks(py, l, interpreter);
        }
        interpreter = py_pointer(py, interpreter + py->o.is_next);
    }
    if (!l->n)
        return;
    qsort(l->addresses, l->n, sizeof *l->addresses, list_by_number);
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++)
        if (!kept || l->addresses[kept - 1] != l->addresses[i])
            l->addresses[kept++] = l->addresses[i];
    l->n = kept;
}
