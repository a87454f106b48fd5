#include "past.h"

#include <string.h>

#include "../agent/snapshot/arena.h"

#define SITES_KEPT       50
#define OCCURRENCES_KEPT 5

static void copy_finding(struct snap *to, struct finding *dst, const struct finding *src)
{
    struct finding cut = *src;
    if (cut.noccurrences > OCCURRENCES_KEPT)
        cut.noccurrences = OCCURRENCES_KEPT;
    snap_copy_finding(to, dst, &cut);
}

static void copy_loop(struct snap *to, struct snap_loop *dst, const struct snap_loop *src)
{
    *dst = *src;
    dst->name = snap_strdup(to, src->name);
    dst->why_not = snap_strdup(to, src->why_not);
    dst->window.starved_by = snap_strdup(to, src->window.starved_by);
    dst->window.busy_stack = snap_hold(to, src->window.busy_stack);
    dst->stack = snap_hold(to, src->stack);
    snap_copy_task_ref(to, &dst->task, &src->task);
}

static void copy_process(struct snap *to, struct snap_process *dst, const struct snap_process *src)
{
    *dst = *src;
    dst->name = snap_strdup(to, src->name);
    dst->exe = snap_strdup(to, src->exe);
    dst->cmdline = snap_strdup(to, src->cmdline);
    dst->runtime_version = snap_strdup(to, src->runtime_version);
    dst->why_not = snap_strdup(to, src->why_not);
    dst->zombie_command = snap_strdup(to, src->zombie_command);
    dst->loops = snap_alloc(to, sizeof(int) * (size_t)(src->nloops + 1));
    if (src->nloops > 0)
        memcpy(dst->loops, src->loops, sizeof(int) * (size_t)src->nloops);
}

static void copy_sites(struct snap *to, const struct snap *from)
{
    to->ntask_sites = from->ntask_sites < SITES_KEPT ? from->ntask_sites : SITES_KEPT;
    to->task_sites = snap_alloc(to, sizeof(*to->task_sites) * (size_t)(to->ntask_sites + 1));
    for (int i = 0; i < to->ntask_sites; i++) {
        to->task_sites[i] = from->task_sites[i];
        to->task_sites[i].site = snap_strdup(to, from->task_sites[i].site);
        to->task_sites[i].name = snap_strdup(to, from->task_sites[i].name);
    }
    to->nfds = from->nfds < SITES_KEPT ? from->nfds : SITES_KEPT;
    to->fds = snap_alloc(to, sizeof(*to->fds) * (size_t)(to->nfds + 1));
    for (int i = 0; i < to->nfds; i++) {
        to->fds[i] = from->fds[i];
        to->fds[i].kind = snap_strdup(to, from->fds[i].kind);
        to->fds[i].verdict = snap_strdup(to, from->fds[i].verdict);
        to->fds[i].stack = snap_hold(to, from->fds[i].stack);
        to->fds[i].note = snap_strdup(to, from->fds[i].note);
        to->fds[i].examples = snap_strdup(to, from->fds[i].examples);
        snap_copy_task_ref(to, &to->fds[i].task, &from->fds[i].task);
        to->fds[i].ndetail = to->fds[i].ncohorts = 0;
        to->fds[i].detail = NULL;
        to->fds[i].cohorts = NULL;
    }
}

static void copy_totals(struct snap *to, const struct snap *from)
{
    to->version = from->version;
    to->started_unix_ns = from->started_unix_ns;
    to->now_ns = from->now_ns;
    to->time_scale = from->time_scale;
    to->threshold_ns = from->threshold_ns;
    to->target_exit = from->target_exit;
    to->recorded = from->recorded;
    to->source = snap_strdup(to, from->source);
    to->host = from->host;
    to->host.hostname = snap_strdup(to, from->host.hostname);
    to->host.kernel = snap_strdup(to, from->host.kernel);
    to->agent = from->agent;
    to->agent.version = snap_strdup(to, from->agent.version);
    to->agent.backend = snap_strdup(to, from->agent.backend);
    to->agent.turn_source = snap_strdup(to, from->agent.turn_source);
    to->tasks_total = from->tasks_total;
    memcpy(to->tasks_by_state, from->tasks_by_state, sizeof(to->tasks_by_state));
}

static struct snap *thin_copy(const struct snap *from)
{
    struct snap *to = snap_new();
    copy_totals(to, from);
    to->nprocesses = from->nprocesses;
    to->processes = snap_alloc(to, sizeof(*to->processes) * (size_t)(from->nprocesses + 1));
    for (int i = 0; i < from->nprocesses; i++)
        copy_process(to, &to->processes[i], &from->processes[i]);
    to->nloops = from->nloops;
    to->loops = snap_alloc(to, sizeof(*to->loops) * (size_t)(from->nloops + 1));
    for (int i = 0; i < from->nloops; i++)
        copy_loop(to, &to->loops[i], &from->loops[i]);
    to->nfindings = from->nfindings;
    to->findings = snap_alloc(to, sizeof(*to->findings) * (size_t)(from->nfindings + 1));
    for (int i = 0; i < from->nfindings; i++)
        copy_finding(to, &to->findings[i], &from->findings[i]);
    copy_sites(to, from);
    return to;
}

static void drop(struct past *h, int i)
{
    h->bytes -= arena_bytes(h->v[i]->arena);
    snap_unref(h->v[i]);
    h->v[i] = NULL;
}

static void close_gaps(struct past *h)
{
    int n = 0;
    for (int i = 0; i < h->n; i++)
        if (h->v[i])
            h->v[n++] = h->v[i];
    h->n = n;
}

static void thin_out(struct past *h)
{
    if (h->n < 4) {
        drop(h, 0);
    } else {
        for (int i = 1; i < h->n / 2; i += 2)
            drop(h, i);
    }
    close_gaps(h);
}

void past_push(struct past *h, const struct snap *s)
{
    if (h->n > 0 && s->now_ns - h->v[h->n - 1]->now_ns < 950000000LL) // ticks are not exact
        return;
    while (h->n > 0 && (h->n == PAST_SECONDS + 1 ||
                        s->now_ns - h->v[0]->now_ns > PAST_SECONDS * 1000000000LL)) {
        drop(h, 0);
        close_gaps(h);
    }
    struct snap *copy = thin_copy(s);
    h->v[h->n++] = copy;
    h->bytes += arena_bytes(copy->arena);
    while (h->bytes > PAST_BYTES && h->n > 1)
        thin_out(h);
}

struct snap *past_next(const struct past *h, int64_t now_ns, int direction)
{
    struct snap *before = NULL;
    for (int i = 0; i < h->n; i++) {
        if (direction > 0 && h->v[i]->now_ns > now_ns)
            return h->v[i];
        if (h->v[i]->now_ns < now_ns)
            before = h->v[i];
    }
    return direction < 0 ? before : NULL;
}

void past_finish(struct past *h)
{
    for (int i = 0; i < h->n; i++)
        snap_unref(h->v[i]);
    h->n = 0;
    h->bytes = 0;
}
