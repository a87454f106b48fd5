// Signals as something to wait for. libuv carries them from its handler into the loop.
#include "io.h"

#include <stdlib.h>

struct handler {
    uv_signal_t handle;
    struct ls_signal *of;
    int number;
    uint32_t pending;
};

struct ls_signal {
    struct owned owned;
    struct list waiters;
    size_t n, open;
    uint32_t refs; // of the program, of its handles, of each task that waits
    bool closed;
    struct handler handlers[];
};

static void unref(struct ls_signal *s)
{
    if (--s->refs == 0)
        free(s);
}

static void handle_closed(uv_handle_t *handle)
{
    unref(list_entry(handle, struct handler, handle)->of);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct handler *h = list_entry(handle, struct handler, handle);
    (void)number;
    h->pending++;
    ls__wake_first(&h->of->waiters, 0);
}

static void close_handlers(struct ls_signal *s)
{
    for (size_t i = 0; i < s->open; i++) {
        s->refs++;
        uv_close((uv_handle_t *)&s->handlers[i].handle, handle_closed);
    }
    unref(s);
}

static void release_signal(struct owned *o)
{
    ls_signal_close_at(NULL, list_entry(o, struct ls_signal, owned));
}

static int start_handler(struct ls_signal *s, int number)
{
    struct handler *h = &s->handlers[s->open];
    h->of = s;
    h->number = number;
    int r = uv_signal_init(ls__loop->uv, &h->handle);
    if (r < 0)
        return r;
    s->open++;
    uv_unref((uv_handle_t *)&h->handle);
    return uv_signal_start(&h->handle, on_signal, number);
}

int ls_signal_open_at(struct ls_site *site, ls_signal **ret, const int *signals, size_t n)
{
    *ret = NULL;
    if (!ls__loop)
        return ls__wrong_loop(site, "ls_signal_open");
    if (n == 0 || n > 64)
        return -EINVAL;
    struct ls_signal *s = calloc(1, sizeof(*s) + n * sizeof(s->handlers[0]));
    if (!s)
        return -ENOMEM;
    list_init(&s->waiters);
    s->n = n;
    s->refs = 1;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = start_handler(s, signals[i]);
    if (r < 0) {
        close_handlers(s);
        return r;
    }
    ls__owned_init(&s->owned, ls__loop, release_signal);
    *ret = s;
    return 0;
}

static int take_pending(struct ls_signal *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->handlers[i].pending == 0)
            continue;
        s->handlers[i].pending--;
        return s->handlers[i].number;
    }
    return -EAGAIN;
}

int ls_signal_wait_at(struct ls_site *site, ls_signal *s, int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    struct task *t = task_current();
    int r;
    if (!t)
        return ls__not_in_task(site, "ls_signal_wait");
    if (t->loop != s->owned.loop)
        return ls__wrong_loop_of(s->owned.loop, site, "ls_signal_wait");
    if (t->interrupt)
        return t->interrupt;
    while ((r = take_pending(s)) == -EAGAIN) {
        struct wait w = {.kind = LS_ABI_WAIT_SIGNAL,
                         .object = (uint64_t)s->handlers[0].number,
                         .site = site,
                         .timeout_ns = span_left(until)};
        s->refs++;
        r = ls__wait_in(&s->waiters, t, &w);
        if (s->closed)
            r = -EBADF;
        unref(s);
        if (r < 0)
            return r;
    }
    return r;
}

void ls_signal_close_at(struct ls_site *site, ls_signal *s)
{
    if (!s)
        return;
    if (s->owned.loop != ls__loop) {
        ls__wrong_loop_of(s->owned.loop, site, "ls_signal_close");
        return;
    }
    ls__owned_forget(&s->owned);
    s->closed = true;
    while (ls__wake_first(&s->waiters, -EBADF))
        continue;
    close_handlers(s);
}
