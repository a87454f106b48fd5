// Brings in the pages that a block of tasks needs, in few and large reads.
#include <stdlib.h>

#include "asyncio.h"

#define LEVELS 8   // of await chains that are fetched ahead
#define OBJECT 256 // bytes of a coroutine that are looked at

// The chain's next objects, level by level, all of a level in one batch. Changes objects.
static void fetch_chains(struct cpython *py, uint64_t *objects, size_t n)
{
    for (int level = 0; n && level < LEVELS; level++) {
        size_t left = 0;
        mem_prefetch(py->m, objects, n, OBJECT);
        for (size_t i = 0; i < n; i++) {
            struct task_frame f;
            enum py_frame_state state;
            uint64_t next = 0;
            task_step(py, objects[i], &f, &state, &next);
            if (next)
                objects[left++] = next;
        }
        n = left;
    }
}

void task_fetch(struct cpython *py, const uint64_t *addresses, size_t n)
{
    uint64_t *list = malloc(2 * n * sizeof *list);
    if (!list)
        return;
    mem_prefetch(py->m, addresses, n, py->o.t_size);
    for (size_t i = 0; i < n; i++)
        list[i] = py_pointer(py, addresses[i] + py->o.t_name);
    mem_prefetch(py->m, list, n, 64);
    for (size_t i = 0; i < n; i++) {
        list[i] = py_pointer(py, addresses[i] + py->o.t_waiter);
        list[n + i] = py_pointer(py, addresses[i] + py->o.t_callback0);
    }
    mem_prefetch(py->m, list, 2 * n, 64);
    for (size_t i = 0; i < n; i++)
        list[i] = py_pointer(py, addresses[i] + py->o.t_coro);
    fetch_chains(py, list, n);
    free(list);
}
