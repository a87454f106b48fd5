// Channels: values of one size, many to many, buffered or handed over directly; select over several.
//
// A party that must wait lies in the channel's list of senders or receivers; who comes from the other side
// completes it: copies the value and wakes it. So a woken party has its result already, and a cancel that
// comes later cannot lose a value. A select has a party in each of its channels; completing one unlinks the others.
#include "fast.h"

#include <stdlib.h>

struct party {
    struct list link;
    struct task *task;
    void *item;                  // where to, or from where
    struct selection *selection; // NULL: a plain send or receive
};

struct selection {
    struct party *parties;
    size_t n;
    struct party *done;
};

struct ls_chan {
    struct object base;
    struct list senders, receivers;
    char *buffer;
    size_t item_size;
    uint32_t capacity, length, head; // head: oldest value
    bool closed;
};

int ls_chan_new_at(struct ls_site *site, ls_chan **ret, size_t item_size, uint32_t capacity)
{
    size_t bytes;
    if (__builtin_mul_overflow(item_size, capacity, &bytes))
        return -EINVAL;
    int r = ls__object_new(site, sizeof(**ret), "channel", ret);
    if (r < 0)
        return r;
    ls_chan *c = *ret;
    list_init(&c->senders);
    list_init(&c->receivers);
    c->item_size = item_size;
    c->capacity = capacity;
    if (bytes > 0 && !(c->buffer = malloc(bytes))) {
        ls__object_free(&c->base);
        *ret = NULL;
        return -ENOMEM;
    }
    return 0;
}

int ls_chan_free_at(struct ls_site *site, ls_chan *c)
{
    if (!c)
        return 0;
    if (c->base.loop != ls__loop)
        return ls__wrong_loop(site, "ls_chan_free");
    if (!list_empty(&c->senders) || !list_empty(&c->receivers))
        return ls__misuse(site, -EBUSY, "ls_chan_free: a task waits on it");
    free(c->buffer);
    ls__object_free(&c->base);
    return 0;
}

uint32_t ls_chan_length(const ls_chan *c)
{
    return c->length;
}

static inline void copy_item(const ls_chan *c, void *to, const void *from)
{
    if (likely(c->item_size == 8))
        memcpy(to, from, 8);
    else
        memcpy(to, from, c->item_size);
}

static inline char *buffered(const ls_chan *c, uint32_t i)
{
    uint64_t at = (uint64_t)c->head + i;
    return c->buffer + (at >= c->capacity ? at - c->capacity : at) * c->item_size;
}

static void unlink_selection(struct selection *s)
{
    for (size_t i = 0; i < s->n; i++)
        list_del(&s->parties[i].link);
}

// The party's value has been moved (or its channel closed): it may go on.
static inline void complete(struct ls_loop *l, struct party *p, int status)
{
    if (unlikely(p->selection != NULL)) {
        p->selection->done = p;
        unlink_selection(p->selection);
    } else {
        list_unlink(&p->link);
    }
    wake(l, p->task, status);
}

static inline struct party *first_party(const struct list *l)
{
    struct list *node = list_first(l);
    return node ? list_entry(node, struct party, link) : NULL;
}

// 0 when it happened at once, -EPIPE when closed, -EAGAIN when it must wait.
static inline int try_send(struct ls_loop *l, ls_chan *c, const void *item)
{
    if (unlikely(c->closed))
        return -EPIPE;
    struct party *receiver = first_party(&c->receivers);
    if (receiver) {
        copy_item(c, receiver->item, item);
        complete(l, receiver, 0);
        return 0;
    }
    if (c->length == c->capacity)
        return -EAGAIN;
    copy_item(c, buffered(c, c->length), item);
    c->length++;
    return 0;
}

static inline int try_recv(struct ls_loop *l, ls_chan *c, void *item)
{
    struct party *sender = first_party(&c->senders);
    if (c->length > 0) {
        copy_item(c, item, buffered(c, 0));
        c->head = c->head + 1 == c->capacity ? 0 : c->head + 1;
        c->length--;
        if (sender) { // the room goes to the first that waits
            copy_item(c, buffered(c, c->length), sender->item);
            c->length++;
            complete(l, sender, 0);
        }
        return 0;
    }
    if (sender) {
        copy_item(c, item, sender->item);
        complete(l, sender, 0);
        return 0;
    }
    return unlikely(c->closed) ? -EPIPE : -EAGAIN;
}

static void party_abort(struct task *t, int why)
{
    struct party *p = t->wait_op;
    list_unlink(&p->link);
    wake(t->loop, t, why);
}

// Not inlined: the paths that need not wait stay short. Few enough parameters for a jump instead of a call.
static __attribute__((noinline)) int wait_for_receiver(ls_chan *c, const void *item,
                                                       int64_t timeout_ns, struct ls_site *site,
                                                       struct task *t)
{
    struct party p;
    if (unlikely(timeout_ns == 0))
        return -ETIMEDOUT;
    p.task = t;
    p.item = (void *)(uintptr_t)item;
    p.selection = NULL;
    list_append(&c->senders, &p.link);
    return park_at(c->base.loop, t, LS_ABI_WAIT_CHAN_SEND, (uintptr_t)c, site, timeout_ns,
                   party_abort, &p, false);
}

static __attribute__((noinline)) int wait_for_sender(ls_chan *c, void *item, int64_t timeout_ns,
                                                     struct ls_site *site, struct task *t)
{
    struct party p;
    if (unlikely(timeout_ns == 0))
        return -ETIMEDOUT;
    p.task = t;
    p.item = item;
    p.selection = NULL;
    list_append(&c->receivers, &p.link);
    return park_at(c->base.loop, t, LS_ABI_WAIT_CHAN_RECV, (uintptr_t)c, site, timeout_ns,
                   party_abort, &p, false);
}

// Everything that is not as it should be.
static __attribute__((noinline)) int refuse(struct ls_site *site, const ls_chan *c,
                                            const char *call)
{
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, call);
    return t->loop != c->base.loop ? ls__wrong_loop(site, call) : t->interrupt;
}

// Buffers, selects, closed channels, odd sizes.
static __attribute__((noinline)) int send_somehow(ls_chan *c, const void *item, int64_t timeout_ns,
                                                  struct ls_site *site, struct task *t)
{
    int r = try_send(t->loop, c, item);
    return r != -EAGAIN ? r : wait_for_receiver(c, item, timeout_ns, site, t);
}

static __attribute__((noinline)) int receive_somehow(ls_chan *c, void *item, int64_t timeout_ns,
                                                     struct ls_site *site, struct task *t)
{
    int r = try_recv(t->loop, c, item);
    return r != -EAGAIN ? r : wait_for_sender(c, item, timeout_ns, site, t);
}

// A value of a word between two tasks that do nothing else.
static inline bool is_plain(const ls_chan *c, const struct party *p)
{
    return likely(!p->selection) && likely(c->item_size == sizeof(uint64_t));
}

static inline void meet(struct ls_loop *l, struct party *p, void *to, const void *from)
{
    memcpy(to, from, sizeof(uint64_t));
    list_unlink(&p->link);
    wake(l, p->task, 0);
}

int ls_chan_send_at(struct ls_site *site, ls_chan *c, const void *item, int64_t timeout_ns)
{
    struct ls_loop *l = ls__loop;
    struct task *t;
    if (unlikely(l != c->base.loop || !(t = l->current) || t->interrupt))
        return refuse(site, c, "ls_chan_send");
    struct party *receiver = first_party(&c->receivers);
    if (receiver && is_plain(c, receiver)) {
        meet(l, receiver, receiver->item, item);
        return 0;
    }
    if (!receiver && c->capacity == 0 && likely(!c->closed))
        return wait_for_receiver(c, item, timeout_ns, site, t);
    return send_somehow(c, item, timeout_ns, site, t);
}

int ls_chan_recv_at(struct ls_site *site, ls_chan *c, void *item, int64_t timeout_ns)
{
    struct ls_loop *l = ls__loop;
    struct task *t;
    if (unlikely(l != c->base.loop || !(t = l->current) || t->interrupt))
        return refuse(site, c, "ls_chan_recv");
    struct party *sender = first_party(&c->senders);
    if (c->length > 0)
        return receive_somehow(c, item, timeout_ns, site, t);
    if (sender && is_plain(c, sender)) {
        meet(l, sender, item, sender->item);
        return 0;
    }
    if (!sender && likely(!c->closed))
        return wait_for_sender(c, item, timeout_ns, site, t);
    return receive_somehow(c, item, timeout_ns, site, t);
}

int ls_chan_close_at(struct ls_site *site, ls_chan *c)
{
    struct party *p;
    if (c->base.loop != ls__loop)
        return ls__wrong_loop(site, "ls_chan_close");
    c->closed = true;
    while ((p = first_party(&c->senders)))
        complete(c->base.loop, p, -EPIPE);
    while ((p = first_party(&c->receivers))) // none waits while values are left
        complete(c->base.loop, p, -EPIPE);
    return 0;
}

// ---- select ----

static int try_case(const struct ls_case *k)
{
    if (!k->chan)
        return -EAGAIN;
    struct ls_loop *l = k->chan->base.loop;
    return k->recv ? try_recv(l, k->chan, k->recv) : try_send(l, k->chan, k->send);
}

static int check_cases(struct ls_site *site, const struct ls_case *cases, size_t n)
{
    if (n == 0 || n > LS_SELECT_MAX)
        return ls__misuse(site, -EINVAL, "ls_select: %zu cases", n);
    for (size_t i = 0; i < n; i++) {
        if (!cases[i].chan)
            continue;
        if (!cases[i].recv == !cases[i].send)
            return ls__misuse(site, -EINVAL, "ls_select: case %zu must receive or send", i);
        if (!object_mine(cases[i].chan))
            return ls__wrong_loop(site, "ls_select");
    }
    return 0;
}

static void selection_abort(struct task *t, int why)
{
    unlink_selection(t->wait_op);
    wake(t->loop, t, why);
}

static int wait_for_any(struct ls_site *site, struct task *t, const struct ls_case *cases, size_t n,
                        int *status, int64_t timeout_ns)
{
    struct party parties[LS_SELECT_MAX];
    struct selection s = {.parties = parties, .n = n};
    struct wait w = {.kind = LS_ABI_WAIT_SELECT,
                     .object = (uintptr_t)cases[0].chan,
                     .site = site,
                     .timeout_ns = timeout_ns,
                     .abort = selection_abort,
                     .op = &s};
    for (size_t i = 0; i < n; i++) {
        const struct ls_case *k = &cases[i];
        parties[i] = (struct party){.task = t, .selection = &s};
        parties[i].item = k->recv ? k->recv : (void *)(uintptr_t)k->send;
        if (k->chan)
            list_add_tail(k->recv ? &k->chan->receivers : &k->chan->senders, &parties[i].link);
    }
    int r = park(t, &w);
    if (!s.done)
        return r;
    *status = r;
    return (int)(s.done - parties);
}

int ls_select_at(struct ls_site *site, const struct ls_case *cases, size_t n, int *status,
                 int64_t timeout_ns)
{
    struct task *t = task_current();
    int unused, r;
    if (!t)
        return ls__not_in_task(site, "ls_select");
    if ((r = check_cases(site, cases, n)) < 0 || (r = t->interrupt) < 0)
        return r;
    if (!status)
        status = &unused;
    size_t first = t->loop->select_turn++ % n; // no case is always looked at first
    for (size_t i = 0; i < n; i++) {
        size_t k = (first + i) % n;
        *status = try_case(&cases[k]);
        if (*status != -EAGAIN)
            return (int)k;
    }
    *status = 0;
    if (timeout_ns == 0)
        return -ETIMEDOUT;
    return wait_for_any(site, t, cases, n, status, timeout_ns);
}
