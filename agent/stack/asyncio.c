// asyncio's tasks read from outside, without the target's help.
//
// Where they are: up to 3.13 in a WeakSet of the module (and from 3.12 a set of eager tasks); from
// 3.14 on in lists of task objects in the thread and interpreter states, plus the WeakSet for tasks
// not written in C. The target runs meanwhile and reuses memory within microseconds, so all that is
// shown of a task is read a second time, and a task that changed in between is marked unstable
// (asyncio_tasks.c).
#include "asyncio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../snapshot/arena.h"

#define DICT_USED   16  // of PyDictObject, behind the head: the same in all versions
#define TYPE_DICT   264 // of PyTypeObject: the same up to 3.12, where it is needed
#define MAX_CURRENT 64

// 3.11's PyCodeObject: a 16-bit count from here up, by one each time the function is entered, until it is optimised.
#define CODE_WARMUP 52
#define NEVER_RUN   (-8)

void asyncio_free(struct asyncio *a)
{
    if (!a)
        return;
    arena_free(a->arena);
    free(a->lost);
    free(a);
}

// 3.14+: the section says where the fields are that its own debugger reads.
static void apply_debug_section(struct cpython *py)
{
    uint64_t w[13], size, at;
    const struct lang_process *p = &py->process;
    if (py->o.version < 0x030e)
        return;
    at = p->section(p->arg, "_asyncio", ".AsyncioDebug", &size);
    if (!at)
        at = p->section(p->arg, "python", ".AsyncioDebug", &size);
    if (!at || !mem_read(py->m, at, w, sizeof w) || w[0] != (uint64_t)py->o.t_size)
        return;
    int16_t *const fields[13] = {NULL,
                                 &py->o.t_name,
                                 &py->o.t_awaited_by,
                                 NULL,
                                 &py->o.t_awaited_by_set,
                                 &py->o.t_coro,
                                 &py->o.t_node,
                                 NULL,
                                 &py->o.is_tasks,
                                 NULL,
                                 &py->o.ts_running_loop,
                                 &py->o.ts_running_task,
                                 &py->o.ts_tasks};
    for (int i = 0; i < 13; i++)
        if (fields[i] && w[i] < 32768)
            *fields[i] = (int16_t)w[i];
}

static uint64_t function_of_type(struct cpython *py, uint64_t module, const char *type,
                                 const char *name)
{
    uint64_t t = module ? py_dict_get(py, py_pointer(py, module + py->o.md_dict), type) : 0;
    return t ? py_dict_get(py, py_pointer(py, t + TYPE_DICT), name) : 0;
}

bool asyncio_cancels_tell(struct cpython *py)
{
    uint32_t word;
    const uint64_t code = py->asyncio->group_code;
    if (py->o.version >= 0x030d || !code)
        return true;
    // Of 3.11 it shows whether the function has ever run: its code warms up.
    return py->o.version == 0x030b && mem_u32(py->m, code + CODE_WARMUP, &word) &&
           (int16_t)word == NEVER_RUN;
}

bool asyncio_find(struct cpython *py, uint64_t interpreter)
{
    if (!py->asyncio && !(py->asyncio = calloc(1, sizeof *py->asyncio)))
        return false;
    struct asyncio *a = py->asyncio;
    uint64_t modules = py_pointer(py, interpreter + py->o.is_modules);
    uint64_t used = py_pointer(py, modules + DICT_USED);
    if (modules && modules == a->modules && used == a->modules_used)
        return a->tasks_module != 0;
    uint64_t tasks = py_dict_get(py, modules, "asyncio.tasks");
    uint64_t c = tasks ? py_dict_get(py, modules, "_asyncio") : 0;
    a->tasks_module = tasks ? py_pointer(py, tasks + py->o.md_dict) : 0;
    a->c_module = c ? py_pointer(py, c + py->o.md_dict) : 0;
    uint64_t group = function_of_type(py, py_dict_get(py, modules, "asyncio.taskgroups"),
                                      "TaskGroup", "__aexit__");
    a->group_code = group ? py_pointer(py, group + py->o.fn_code) : 0;
    a->modules = modules;
    a->modules_used = used;
    if (tasks && !a->debug_applied) {
        apply_debug_section(py);
        a->debug_applied = true;
    }
    return a->tasks_module != 0;
}

struct running {
    struct cpython *py;
    const struct py_frame *frames;
    int n;
    uint64_t task;
};

// A task runs on the thread whose frames hold its coroutine's.
static bool runs_here(struct running *r, uint64_t task)
{
    if (py_kind_of(r->py, task) != PY_TASK)
        return false;
    uint64_t coroutine = py_pointer(r->py, task + r->py->o.t_coro);
    uint64_t frame = task_frame_address(r->py, coroutine);
    for (int i = 0; frame && i < r->n; i++)
        if (r->frames[i].address == frame)
            return true;
    return false;
}

static bool visit_current(void *arg, uint64_t loop, uint64_t task)
{
    struct running *r = arg;
    (void)loop;
    if (!runs_here(r, task))
        return false;
    r->task = task;
    return true;
}

uint64_t asyncio_running(struct cpython *py, uint64_t thread, const struct py_frame *frames, int n)
{
    struct running r = {py, frames, n, 0};
    uint64_t interpreter = py_pointer(py, py->runtime + py->o.rt_interp_head);
    if (!n || !asyncio_find(py, interpreter))
        return 0;
    if (py->o.ts_running_task >= 0) {
        uint64_t task = py_pointer(py, thread + py->o.ts_running_task);
        return runs_here(&r, task) ? task : 0;
    }
    uint64_t current = py_dict_get(py, py->asyncio->c_module, "_current_tasks");
    if (!current)
        current = py_dict_get(py, py->asyncio->tasks_module, "_current_tasks");
    if (py_kind_of(py, current) == PY_DICT)
        py_dict_each(py, current, visit_current, &r);
    return r.task;
}

void asyncio_task_ref(struct cpython *py, uint64_t address, struct task_ref *ret)
{
    struct task t;
    int64_t number;
    char *id = py->texts[0], *name = py->texts[1], *site = py->texts[2], buf[PY_NAME_MAX];
    *ret = (struct task_ref){0};
    if (!task_read(py, address, &t))
        return;
    const struct py_code *c = task_code(py, t.coroutine);
    const char *coroutine = task_coroutine_name(py, t.coroutine, c, buf, sizeof buf);
    snprintf(id, sizeof py->texts[0], "%#lx", (unsigned long)address);
    task_name(py, &t, name, PY_NAME_MAX, &number);
    if (c)
        snprintf(site, sizeof py->texts[2], "%.140s (%.180s)", coroutine ? coroutine : "?",
                 c->site);
    *ret = (struct task_ref){.id = id, .name = *name ? name : NULL, .spawn_site = c ? site : NULL};
}
