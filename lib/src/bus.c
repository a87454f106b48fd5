// The event bus. A subscription is a bounded queue and a task that takes from it; a message is one copy, shared by all
// queues that hold it.
//
// Publishing may wait in the middle of its round (a full queue), and the set of subscriptions may change meanwhile: the
// round goes by their numbers, and a publisher that waits holds a reference.
#include "io.h"

#include <stdlib.h>

#define DEFAULT_QUEUE 64

struct payload {
    struct ls_message message;
    uint32_t refs;
    char bytes[]; // topic, NUL, data
};

struct ls_subscription {
    struct list link; // in the bus; unlinked when it has ended
    struct ls_bus *bus;
    uint64_t number;
    ls_listener_fn fn;
    void *ctx;
    char *topic;
    size_t topic_length; // without '*'
    bool prefix, ending, busy;
    uint32_t refs; // the bus, its task, publishers that wait
    enum ls_overflow overflow;
    struct payload **queue;
    uint32_t capacity, head, length;
    struct list takers;     // its task, when the queue is empty
    struct list publishers; // that wait for room
    struct ls_subscription_stats stats;
};

struct ls_bus {
    struct object base;
    struct list subscriptions; // by number
    struct list drainers;
    uint64_t next_number;
    uint32_t refs; // the program's and each subscription's
    bool ending;
};

// ---- messages ----

static struct payload *new_payload(const char *topic, const void *data, size_t size)
{
    size_t topic_size = strlen(topic) + 1;
    struct payload *p = malloc(sizeof(*p) + topic_size + size);
    if (!p)
        return NULL;
    memcpy(p->bytes, topic, topic_size);
    if (size > 0)
        memcpy(p->bytes + topic_size, data, size);
    p->message = (struct ls_message){p->bytes, p->bytes + topic_size, size};
    p->refs = 1;
    return p;
}

static void unref_payload(struct payload *p)
{
    if (--p->refs == 0)
        free(p);
}

static void push(struct ls_subscription *s, struct payload *p)
{
    s->queue[(s->head + s->length++) % s->capacity] = p;
    p->refs++;
    ls__wake_first(&s->takers, 0);
}

static struct payload *take(struct ls_subscription *s) // not empty
{
    struct payload *p = s->queue[s->head];
    s->head = (s->head + 1) % s->capacity;
    s->length--;
    return p;
}

// ---- life ----

static void unref_bus(struct ls_bus *b)
{
    if (--b->refs == 0)
        ls__object_free(&b->base);
}

static void unref_subscription(struct ls_subscription *s)
{
    if (--s->refs > 0)
        return;
    unref_bus(s->bus);
    free(s->queue);
    free(s->topic);
    free(s);
}

static bool is_idle(const struct ls_bus *b)
{
    for (struct list *node = b->subscriptions.next; node != &b->subscriptions; node = node->next) {
        const struct ls_subscription *s = list_entry(node, struct ls_subscription, link);
        if (s->busy || s->length > 0)
            return false;
    }
    return true;
}

static void tell_drainers(struct ls_bus *b)
{
    if (list_empty(&b->drainers) || !is_idle(b))
        return;
    while (ls__wake_first(&b->drainers, 0))
        continue;
}

// Nothing more goes to it; its task ends after the message at hand.
static void end_subscription(struct ls_subscription *s)
{
    if (s->ending)
        return;
    s->ending = true;
    while (s->length > 0)
        unref_payload(take(s));
    list_del(&s->link);
    while (ls__wake_first(&s->publishers, 0))
        continue;
    ls__wake_first(&s->takers, 0);
    tell_drainers(s->bus);
    unref_subscription(s);
}

int ls_bus_new_at(struct ls_site *site, ls_bus **ret)
{
    int r = ls__object_new(site, sizeof(**ret), "bus", ret);
    if (r < 0)
        return r;
    list_init(&(*ret)->subscriptions);
    list_init(&(*ret)->drainers);
    (*ret)->refs = 1;
    return 0;
}

int ls_bus_free_at(struct ls_site *site, ls_bus *b)
{
    if (!b)
        return 0;
    if (!object_mine(b))
        return ls__wrong_loop_of(b->base.loop, site, "ls_bus_free");
    b->ending = true;
    while (!list_empty(&b->subscriptions))
        end_subscription(list_entry(b->subscriptions.next, struct ls_subscription, link));
    while (ls__wake_first(&b->drainers, 0))
        continue;
    unref_bus(b);
    return 0;
}

// ---- listening ----

static int wait_for_message(struct ls_subscription *s)
{
    struct wait w = {
        .kind = LS_ABI_WAIT_BUS, .object = (uintptr_t)s, .site = LS_HERE, .timeout_ns = LS_FOREVER};
    return ls__wait_in(&s->takers, task_current(), &w);
}

static void hand_over(struct ls_subscription *s)
{
    struct payload *p = take(s);
    s->busy = true;
    ls__wake_first(&s->publishers, 0);
    int r = s->fn(&p->message, s->ctx);
    s->busy = false;
    s->stats.delivered++;
    if (r < 0) {
        s->stats.failed++;
        s->stats.last_error = r;
    }
    unref_payload(p);
    tell_drainers(s->bus);
}

static int64_t listen_to(void *arg)
{
    struct ls_subscription *s = arg;
    int r = 0;
    while (!s->ending && r == 0) {
        if (s->length == 0)
            r = wait_for_message(s);
        else if ((r = ls_check_at(NULL)) == 0)
            hand_over(s);
    }
    end_subscription(s); // cancelled, with its loop
    unref_subscription(s);
    return 0;
}

static struct ls_subscription *new_subscription(struct ls_bus *b, const char *topic,
                                                const struct ls_subscribe_options *o)
{
    struct ls_subscription *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->capacity = o && o->queue ? o->queue : DEFAULT_QUEUE;
    s->overflow = o ? o->overflow : LS_OVERFLOW_WAIT;
    s->topic = strdup(topic);
    s->queue = calloc(s->capacity, sizeof(*s->queue)); // NOLINT: an array of pointers
    if (!s->topic || !s->queue) {
        free(s->topic);
        free(s->queue);
        free(s);
        return NULL;
    }
    s->topic_length = strlen(topic);
    s->prefix = s->topic_length > 0 && topic[s->topic_length - 1] == '*';
    if (s->prefix)
        s->topic_length--;
    list_init(&s->takers);
    list_init(&s->publishers);
    list_init(&s->link);
    s->bus = b;
    return s;
}

int ls_subscribe_at(struct ls_site *site, ls_bus *b, ls_subscription **ret, const char *topic,
                    ls_listener_fn fn, void *ctx, const struct ls_subscribe_options *options)
{
    if (ret)
        *ret = NULL;
    if (!object_mine(b))
        return ls__wrong_loop_of(b->base.loop, site, "ls_subscribe");
    if (b->ending || !topic || !fn)
        return ls__misuse(site, -EINVAL, "ls_subscribe: %s",
                          b->ending ? "the bus is being freed" : "no topic or listener");
    struct ls_subscription *s = new_subscription(b, topic, options);
    if (!s)
        return -ENOMEM;
    s->fn = fn;
    s->ctx = ctx;
    s->refs = 2; // of the bus and of its task
    b->refs++;
    int r = ls_spawn_detached_at(site, topic[0] ? topic : "*", listen_to, s);
    if (r < 0) {
        s->refs = 1;
        unref_subscription(s);
        return r;
    }
    s->number = ++b->next_number;
    list_add_tail(&b->subscriptions, &s->link);
    if (ret)
        *ret = s;
    return 0;
}

int ls_unsubscribe_at(struct ls_site *site, ls_subscription *s)
{
    if (!object_mine(s->bus))
        return ls__wrong_loop_of(s->bus->base.loop, site, "ls_unsubscribe");
    end_subscription(s);
    return 0;
}

int ls_subscription_get_stats_at(struct ls_site *site, const ls_subscription *s,
                                 struct ls_subscription_stats *ret)
{
    if (!object_mine(s->bus))
        return ls__wrong_loop(site, "ls_subscription_get_stats");
    *ret = s->stats;
    ret->queued = s->length;
    return 0;
}

// ---- publishing ----

static bool wants(const struct ls_subscription *s, const char *topic)
{
    if (s->prefix)
        return strncmp(topic, s->topic, s->topic_length) == 0;
    return strcmp(topic, s->topic) == 0;
}

static struct ls_subscription *next_wanting(struct ls_bus *b, uint64_t after, uint64_t last,
                                            const char *topic)
{
    for (struct list *node = b->subscriptions.next; node != &b->subscriptions; node = node->next) {
        struct ls_subscription *s = list_entry(node, struct ls_subscription, link);
        if (s->number > last)
            break;
        if (s->number > after && wants(s, topic))
            return s;
    }
    return NULL;
}

static int wait_for_room(struct ls_subscription *s, struct task *t, struct ls_site *site,
                         int64_t until)
{
    int r = 0;
    s->refs++;
    while (r == 0 && !s->ending && s->length == s->capacity) {
        struct wait w = {.kind = LS_ABI_WAIT_BUS,
                         .object = (uintptr_t)s,
                         .site = site,
                         .timeout_ns = span_left(until)};
        r = ls__wait_in(&s->publishers, t, &w);
    }
    return r;
}

// 1 when it has it, 0 when it does not want it any more or drops it.
static int offer(struct ls_subscription *s, struct payload *p, struct task *t, struct ls_site *site,
                 int64_t until)
{
    int r = 0;
    if (s->length == s->capacity && s->overflow == LS_OVERFLOW_DROP_NEW) {
        s->stats.dropped++;
        return 0;
    }
    if (s->length == s->capacity && s->overflow == LS_OVERFLOW_DROP_OLD) {
        s->stats.dropped++;
        unref_payload(take(s));
    }
    if (s->length < s->capacity) {
        push(s, p);
        return 1;
    }
    r = wait_for_room(s, t, site, until);
    if (r == 0 && !s->ending) {
        push(s, p);
        r = 1;
    }
    unref_subscription(s);
    return r;
}

int ls_publish_at(struct ls_site *site, ls_bus *b, const char *topic, const void *data, size_t size,
                  int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_publish");
    if (t->loop != b->base.loop)
        return ls__wrong_loop_of(b->base.loop, site, "ls_publish");
    if (t->interrupt)
        return t->interrupt;
    struct payload *p = new_payload(topic, data, size);
    if (!p)
        return -ENOMEM;
    struct ls_subscription *s;
    uint64_t number = 0, last = b->next_number;
    int reached = 0, r = 0;
    b->refs++; // it may be freed while we wait
    while (r >= 0 && (s = next_wanting(b, number, last, topic))) {
        number = s->number;
        r = offer(s, p, t, site, until);
        reached += r > 0;
    }
    unref_bus(b);
    unref_payload(p);
    return r < 0 ? r : reached;
}

int ls_bus_drain_at(struct ls_site *site, ls_bus *b, int64_t timeout_ns)
{
    int64_t until = span_begin(timeout_ns);
    struct task *t = task_current();
    if (!t)
        return ls__not_in_task(site, "ls_bus_drain");
    if (t->loop != b->base.loop)
        return ls__wrong_loop_of(b->base.loop, site, "ls_bus_drain");
    int r = t->interrupt;
    b->refs++;
    while (r == 0 && !b->ending && !is_idle(b)) {
        struct wait w = {.kind = LS_ABI_WAIT_BUS,
                         .object = (uintptr_t)b,
                         .site = site,
                         .timeout_ns = span_left(until)};
        r = ls__wait_in(&b->drainers, t, &w);
    }
    unref_bus(b);
    return r;
}
