// Figures of the calling thread's loop, and what is made known when too many tasks fail.
#include "fast.h"
#include "io.h"

#include <math.h>
#include <stdlib.h>

int ls_metrics_get(struct ls_metrics *ret)
{
    const struct ls_loop *l = ls__loop;
    if (!l)
        return -EPERM;
    const struct ls_abi_loop *r = l->record;
    *ret = (struct ls_metrics){
        .created = r->created,
        .started = r->started,
        .completed = r->completed,
        .failed = r->failed,
        .cancelled = r->cancelled,
        .live = l->live,
        .ready = ready_count(l),
        .detached = r->detached,
        .orphaned = r->orphaned,
        .never_awaited = r->never_awaited,
        .errors_unread = r->errors_unread,
        .left_children = r->left_children,
        .misuse = r->misuse,
        .spawn_failed = r->spawn_failed,
        .turns = r->iteration,
        .switches = l->steps,
        .timers = l->wheel.armed,
        .stacks = l->stacks.total,
        .stacks_cached = l->stacks.total > l->live ? l->stacks.total - l->live : 0,
        .turn_max_ns = l->turn_max_ns,
        .busy_ns = l->busy_ns,
    };
    return 0;
}

static void fill_site(struct ls_site_metrics *m, const struct site_stats *s,
                      const struct ls_site *site)
{
    uint64_t ended = s->completed + s->failed + s->cancelled;
    *m = (struct ls_site_metrics){.site = site,
                                  .created = s->created,
                                  .completed = s->completed,
                                  .failed = s->failed,
                                  .cancelled = s->cancelled,
                                  .live = s->created - ended,
                                  .success_ratio = NAN,
                                  .mean_ns = -1,
                                  .p99_ns = -1,
                                  .max_ns = -1};
    if (ended == 0)
        return;
    m->success_ratio = (double)s->completed / (double)ended;
    m->mean_ns = s->sum_ns / (int64_t)ended;
    m->p99_ns = ls__site_percentile(s, 0.99);
    m->max_ns = s->max_ns;
}

int ls_metrics_sites(struct ls_site_metrics *ret, size_t n)
{
    const struct ls_loop *l = ls__loop;
    size_t count = 0;
    if (!l)
        return -EPERM;
    for (uint32_t id = 0; id < ls__table.sites_used; id++) {
        const struct site_stats *s = &l->stats[id];
        if (s->created == 0)
            continue;
        if (count < n)
            fill_site(&ret[count], s, ls__site(id));
        count++;
    }
    return (int)count;
}

// ---- alert ----

#define DEFAULT_FAILURES 10
#define DEFAULT_WINDOW   60000000000
#define MAX_FAILURES     1000000

struct alert {
    struct closing part;
    void (*fn)(const struct ls_alert *alert, void *ctx);
    void *ctx;
    int64_t window_ns, told_ns; // told_ns 0: not yet
    uint32_t limit, next;
    uint64_t seen;
    int64_t at_ns[]; // of the last limit + 1 failures
};

static void end_alert(struct ls_loop *l)
{
    struct alert *a = l->alert;
    if (!a)
        return;
    list_del(&a->part.link);
    free(a);
    l->alert = NULL;
}

static void alert_closing(struct ls_loop *l, struct closing *part)
{
    (void)part;
    end_alert(l);
}

int ls_on_alert_at(struct ls_site *site, ls_loop *l,
                   void (*fn)(const struct ls_alert *alert, void *ctx), void *ctx,
                   const struct ls_alert_options *options)
{
    if (!l || l != ls__loop)
        return ls__wrong_loop(site, "ls_on_alert");
    end_alert(l);
    if (!fn)
        return 0;
    uint32_t limit = options && options->failures ? options->failures : DEFAULT_FAILURES;
    if (limit > MAX_FAILURES)
        return -EINVAL;
    struct alert *a = calloc(1, sizeof(*a) + ((size_t)limit + 1) * sizeof(a->at_ns[0]));
    if (!a)
        return -ENOMEM;
    a->fn = fn;
    a->ctx = ctx;
    a->limit = limit;
    a->window_ns = options && options->window_ns > 0 ? options->window_ns : DEFAULT_WINDOW;
    a->part.fn = alert_closing;
    list_add_tail(&l->closing_parts, &a->part.link);
    l->alert = a;
    return 0;
}

void ls__alert_failure(const struct task *t)
{
    struct ls_loop *l = t->loop;
    struct alert *a = l->alert;
    int64_t now = l->now_ns;
    a->at_ns[a->next] = now;
    a->next = (a->next + 1) % (a->limit + 1);
    a->seen++;
    bool told = a->told_ns && now - a->told_ns < a->window_ns;
    bool many = a->seen > a->limit && now - a->at_ns[a->next] < a->window_ns; // the oldest kept
    if (told || !many)
        return;
    a->told_ns = now;
    struct ls_alert alert = {a->limit + 1, a->window_ns, (int)t->result, t->spawn_site};
    struct task *current = l->current;
    l->current = NULL; // it runs outside tasks, must not block
    a->fn(&alert, a->ctx);
    l->current = current;
}
