// The chain of waits of a task of our runtime ends where it began. asyncio keeps no such chain between tasks: there the
// awaiters lead back, each of them waits for the one before.
#include "cycle.h"

#include <string.h>

static const struct snap_task *task_by_id(const struct snap *s, int pid, const char *id)
{
    for (int i = 0; id && i < s->ntasks; i++)
        if (s->tasks[i].pid == pid && s->tasks[i].id && strcmp(s->tasks[i].id, id) == 0)
            return &s->tasks[i];
    return NULL;
}

static const char *frame_name(const struct frame *f)
{
    return f->function ? f->function : "?";
}

static int chain_names(const struct stack *chain, const char **names)
{
    int n = chain ? chain->nframes : 0;
    if (n < 2 || n > CYCLE_MAX ||
        strcmp(frame_name(&chain->frames[0]), frame_name(&chain->frames[n - 1])) != 0)
        return 0;
    for (int i = 0; i < n; i++)
        names[i] = frame_name(&chain->frames[n - 1 - i]);
    return n;
}

static int awaiters(const struct snap *s, const struct snap_task *task,
                    const struct snap_task *path[CYCLE_MAX])
{
    int n = 0;
    const struct snap_task *k = task;
    do {
        if (n >= CYCLE_MAX - 1)
            return 0;
        path[n++] = k;
        k = task_by_id(s, task->pid, k->parent);
    } while (k && k != task);
    return k ? n : 0;
}

int cycle_names(const struct snap *s, const struct snap_task *task, const char *names[CYCLE_MAX])
{
    const struct snap_task *path[CYCLE_MAX];
    int n = chain_names(task->chain, names);
    if (n > 0)
        return n;
    n = awaiters(s, task, path);
    for (int i = 0; n > 0 && i <= n; i++) { // whom it waits for is the awaiters' way turned round
        const struct snap_task *k = path[(n - i) % n];
        names[i] = k->name ? k->name : k->id ? k->id : "?";
    }
    return n > 0 ? n + 1 : 0;
}

bool cycle_begins_at(const struct snap *s, const struct snap_task *task)
{
    const char *names[CYCLE_MAX];
    int n = cycle_names(s, task, names);
    for (int i = 1; i < n; i++)
        if (strcmp(names[i], names[0]) < 0)
            return false;
    return n > 0;
}
