#include "history.h"

#include <stdlib.h>
#include <string.h>

#include "../list.h"

#define SECOND 1000000000LL

struct history *history_new(void)
{
    struct history *h = calloc(1, sizeof(*h));
    if (!h)
        abort();
    h->own = snap_new();
    h->sums = loop_sums_new();
    h->fds = site_sums_new();
    h->tasks = site_sums_new();
    h->last_second = -1;
    h->most_stalls = HISTORY_STALLS;
    h->most_points = HISTORY_POINTS;
    return h;
}

struct history *history_new_recent(void)
{
    struct history *h = history_new();
    h->most_stalls = RECENT_STALLS;
    h->most_points = RECENT_POINTS;
    return h;
}

void history_free(struct history *h)
{
    if (!h)
        return;
    snap_unref(h->own);
    free(h->stalls);
    free(h->loop_points);
    free(h->process_points);
    free(h->loops);
    loop_sums_free(h->sums);
    site_sums_free(h->fds);
    site_sums_free(h->tasks);
    free(h);
}

// Forgets the older half when `most` are there; returns how many that were.
static int halve(void *list, int *n, size_t size, int most)
{
    int drop = *n >= most ? *n / 2 : 0;
    if (drop > 0)
        memmove(list, (char *)list + size * (size_t)drop, size * (size_t)(*n - drop));
    *n -= drop;
    return drop;
}

static void copy_stall(struct snap *own, struct snap_stall *to, const struct snap_stall *from)
{
    *to = *from;
    snap_copy_cause(own, &to->cause, &from->cause);
    snap_copy_task_ref(own, &to->task, &from->task);
    to->samples = snap_alloc(own, sizeof(*to->samples) * (size_t)(from->nsamples + 1));
    for (int i = 0; i < from->nsamples; i++) {
        to->samples[i] = from->samples[i];
        to->samples[i].stack = snap_hold(own, from->samples[i].stack);
        to->samples[i].why_not = snap_strdup(own, from->samples[i].why_not);
        snap_copy_cause(own, &to->samples[i].cause, &from->samples[i].cause);
    }
}

// An arena gives nothing back but as a whole: what is kept moves into a new one.
static void renew(struct history *h)
{
    struct snap *own = snap_new();
    int drop = halve(h->stalls, &h->nstalls, sizeof(*h->stalls), h->most_stalls);
    h->stalls_left_out += drop;
    h->first_open = h->first_open > drop ? h->first_open - drop : 0;
    for (int i = 0; i < h->nstalls; i++) {
        struct snap_stall old = h->stalls[i];
        copy_stall(own, &h->stalls[i], &old);
    }
    snap_unref(h->own);
    h->own = own;
    h->copies = h->nstalls;
}

static struct snap_stall *find_open(struct history *h, uint64_t id)
{
    while (h->first_open < h->nstalls && !h->stalls[h->first_open].open)
        h->first_open++;
    for (int i = h->nstalls - 1; i >= h->first_open; i--)
        if (h->stalls[i].id == id)
            return &h->stalls[i];
    return NULL;
}

static void count_stall(struct history *h, const struct snap_stall *stall)
{
    int i = 0;
    loop_sums_stall(h->sums, stall->pid, stall->tid);
    while (i < h->nloops && (h->loops[i].tid != stall->tid || h->loops[i].pid != stall->pid))
        i++;
    if (i == h->nloops) {
        list_must_have_room(h->loops, h->nloops, h->loops_cap);
        h->loops[h->nloops++] = (struct loop_total){.pid = stall->pid, .tid = stall->tid};
    }
    h->loops[i].stalls++;
}

static bool has_loop(const struct snap *s, const struct loop_total *l)
{
    for (int i = 0; i < s->nloops; i++)
        if (s->loops[i].tid == l->tid && s->loops[i].pid == l->pid)
            return true;
    return false;
}

// Of a loop that has ended only the sums by name are asked for, and a service sees thousands end.
static void forget_ended_loops(struct history *h, const struct snap *s)
{
    int kept = 0;
    if (h->nloops <= 2 * s->nloops + ENDED_LOOPS)
        return;
    for (int i = 0; i < h->nloops; i++)
        if (has_loop(s, &h->loops[i]))
            h->loops[kept++] = h->loops[i];
    h->nloops = kept;
}

static void add_stall(struct history *h, const struct snap_stall *stall)
{
    if (stall->id > h->newest_stall)
        count_stall(h, stall);
    if (h->nstalls >= h->most_stalls || h->copies >= 2 * h->most_stalls)
        renew(h);
    struct snap_stall *known = find_open(h, stall->id);
    if (known && !known->open)
        return;
    h->copies++;
    if (!known) {
        list_must_have_room(h->stalls, h->nstalls, h->stalls_cap);
        known = &h->stalls[h->nstalls++];
    }
    copy_stall(h->own, known, stall);
}

static void add_loop_point(struct history *h, const struct snap *s, const struct snap_loop *l)
{
    h->points_left_out +=
        halve(h->loop_points, &h->nloop_points, sizeof(*h->loop_points), h->most_points);
    list_must_have_room(h->loop_points, h->nloop_points, h->loop_points_cap);
    int64_t worst = l->spark_ns[LOOP_SPARK - 1];
    if (l->blocked_ns > 0 && (worst == SNAP_UNKNOWN || l->blocked_ns > worst))
        worst = l->blocked_ns;
    h->loop_points[h->nloop_points++] =
        (struct loop_point){s->now_ns, l->pid, l->tid, l->busy_ratio, worst};
}

static void add_process_point(struct history *h, const struct snap *s, const struct snap_process *p)
{
    h->points_left_out +=
        halve(h->process_points, &h->nprocess_points, sizeof(*h->process_points), h->most_points);
    list_must_have_room(h->process_points, h->nprocess_points, h->process_points_cap);
    h->process_points[h->nprocess_points++] =
        (struct process_point){s->now_ns, p->pid, p->fd_count, p->ntasks};
}

void history_add(struct history *h, const struct snap *s)
{
    uint64_t newest = h->newest_stall;
    loop_sums_add(h->sums, s);
    site_sums_add_fds(h->fds, s);
    site_sums_add_tasks(h->tasks, s);
    for (int i = 0; i < s->nstalls; i++) {
        add_stall(h, &s->stalls[i]);
        newest = s->stalls[i].id > newest ? s->stalls[i].id : newest;
    }
    h->newest_stall = newest; // a snapshot may hold them in any order
    if (s->now_ns / SECOND == h->last_second)
        return;
    h->last_second = s->now_ns / SECOND;
    forget_ended_loops(h, s);
    for (int i = 0; i < s->nloops; i++)
        add_loop_point(h, s, &s->loops[i]);
    for (int i = 0; i < s->nprocesses; i++)
        add_process_point(h, s, &s->processes[i]);
}
