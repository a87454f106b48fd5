// Work on libuv's thread pool. libuv can take back what is still queued; what runs is waited for, or left behind when
// the caller said how to drop it.
#include "io.h"

#include <stdlib.h>

static void run_work(uv_work_t *req)
{
    struct work *w = req->data;
    w->result = w->fn(w->arg);
}

static void work_done(uv_work_t *req, int status)
{
    struct work *w = req->data;
    ls__wake(w->task, status == UV_ECANCELED ? w->why : 0);
}

static void work_abort(struct task *t, int why)
{
    struct work *w = t->wait_op;
    w->why = why;
    uv_cancel((uv_req_t *)&w->req); // UV_EBUSY: it runs, and is waited for
}

int ls__work(struct work *w, struct task *t, const struct wait *wait)
{
    int r = ls__may_wait(t, wait);
    if (r < 0)
        return r;
    struct wait mine = *wait;
    mine.abort = work_abort;
    mine.op = w;
    w->req.data = w;
    w->task = t;
    w->why = 0;
    if ((r = uv_queue_work(t->loop->uv, &w->req, run_work, work_done)) < 0)
        return r;
    return ls__park(t, &mine);
}

int64_t ls_offload_at(struct ls_site *site, ls_fn fn, void *arg, int64_t timeout_ns)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_offload");
    struct work w = {.fn = fn, .arg = arg};
    struct wait wait = {.kind = LS_ABI_WAIT_OFFLOAD,
                        .object = (uintptr_t)&w,
                        .site = site,
                        .timeout_ns = timeout_ns};
    int r = ls__work(&w, t, &wait);
    if (r < 0)
        return r;
    return w.why ? w.why : w.result;
}

// ---- work that may be left behind ----

struct left_work {
    uv_work_t req;
    struct ls_loop *loop;
    struct task *task; // NULL: nobody waits any more
    ls_fn fn;
    void *arg;
    void (*drop)(void *arg);
    int64_t result;
    int why;
};

static void run_left(uv_work_t *req)
{
    struct left_work *w = req->data;
    w->result = w->fn(w->arg);
}

static void drop_left(struct left_work *w)
{
    struct task *current = w->loop->current;
    w->loop->current = NULL; // it runs outside tasks, wherever it is called from
    if (w->drop)
        w->drop(w->arg);
    w->loop->current = current;
}

static void left_done(uv_work_t *req, int status)
{
    struct left_work *w = req->data;
    w->loop->pending--;
    if (w->task) {
        ls__wake(w->task, status == UV_ECANCELED ? w->why : 0);
        return;
    }
    drop_left(w);
    free(w);
}

static void left_abort(struct task *t, int why)
{
    struct left_work *w = t->wait_op;
    w->why = why;
    if (uv_cancel((uv_req_t *)&w->req) == 0)
        return; // left_done wakes the task
    w->task = NULL;
    ls__wake(t, why);
}

static int64_t wait_left(struct left_work *w, struct wait *wait)
{
    struct task *t = w->task;
    int r = ls__may_wait(t, wait);
    if (r == 0)
        r = uv_queue_work(w->loop->uv, &w->req, run_left, left_done);
    if (r == 0) {
        w->loop->pending++;
        r = ls__park(t, wait);
        if (r < 0 && !w->task) // it runs on; left_done releases it
            return r;
    }
    if (r < 0)
        drop_left(w);
    int64_t result = r < 0 ? r : w->result;
    free(w);
    return result;
}

int64_t ls_offload_abandon_at(struct ls_site *site, ls_fn fn, void *arg, void (*drop)(void *arg),
                              int64_t timeout_ns)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_offload_abandon");
    struct left_work *w = calloc(1, sizeof(*w));
    if (!w) {
        if (drop)
            drop(arg);
        return -ENOMEM;
    }
    *w = (struct left_work){.loop = t->loop, .task = t, .fn = fn, .arg = arg, .drop = drop};
    w->req.data = w;
    struct wait wait = {.kind = LS_ABI_WAIT_OFFLOAD,
                        .object = (uintptr_t)w,
                        .site = site,
                        .timeout_ns = timeout_ns,
                        .abort = left_abort,
                        .op = w};
    return wait_left(w, &wait);
}
