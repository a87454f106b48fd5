#include "tasks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"
#include "task_book.h"
#include "threads.h"

#define SECOND_NS     1000000000LL
#define PERIOD_MIN_NS (1 * SECOND_NS)
#define PERIOD_MAX_NS (60 * SECOND_NS)
#define SCALED_MIN_NS 20000000LL
#define COST_TIMES    400             // a reading may take a quarter of a percent of a core
#define SUSPECTS_MAX  500             // rows of suspicious tasks in a snapshot
#define AGAIN_NS      (2 * SECOND_NS) // a reading failed: tried again soon, then ever more rarely
#define UNREADABLE_NS (30 * SECOND_NS)
#define SUSPICIOUS                                                                                 \
    (TASKF_ORPHANED | TASKF_STUCK | TASKF_TIMED_OUT | TASKF_ERROR_UNREAD |                         \
     TASKF_CANCEL_REQUESTED | TASKF_NEVER_STARTED | TASKF_NEVER_AWAITED | TASKF_SELF_WAKING |      \
     TASKF_CYCLE | TASKF_UNHELD | TASKF_NO_WAKER)

struct asked {
    struct model *m;
    int pid;
    uint64_t start_ticks;
};

static bool wished(const struct model *m)
{
    return m->wishes.tasks.until_ns > m->now_ns;
}

static bool has_tasks(const struct proc *p)
{
    return p->identified && !p->exited &&
           (p->identity.runtime == RUNTIME_ASYNCIO || p->identity.runtime == RUNTIME_UVLOOP);
}

// Rarely enough that reading costs little; but at once when somebody looks.
static int64_t period_of(const struct model *m, const struct task_book *b, int64_t cost_ns)
{
    int64_t period = cost_ns * COST_TIMES;
    (void)b;
    if (period < PERIOD_MIN_NS || wished(m))
        period = PERIOD_MIN_NS;
    if (period > PERIOD_MAX_NS)
        period = PERIOD_MAX_NS;
    period = (int64_t)((double)period * m->time_scale);
    return period > SCALED_MIN_NS ? period : SCALED_MIN_NS;
}

static void put_off(const struct model *m, struct task_book *b)
{
    int64_t pause = AGAIN_NS << (b->failures < 4 ? b->failures : 4);
    b->failures++;
    b->next_ns = m->now_ns + (pause < UNREADABLE_NS ? pause : UNREADABLE_NS);
}

static void answered(void *arg, const struct tasks_answer *a)
{
    struct asked asked = *(struct asked *)arg;
    struct model *m = asked.m;
    free(arg);
    struct proc *p = proc_find(m, asked.pid);
    if (!p || p->start_ticks != asked.start_ticks || !p->tasks)
        return;
    struct task_book *b = p->tasks;
    b->asking = false;
    if (a->why_not && a->nrows == 0 && a->total <= 0) {
        snprintf(b->why_not, sizeof(b->why_not), "%s", a->why_not);
        put_off(m, b);
        return;
    }
    b->failures = 0;
    book_read(b, a, m->now_ns, m->time_scale);
    b->period_ns = period_of(m, b, stacker_cpu_ns(m->stacker) - b->cost_before_ns);
    b->next_ns = m->now_ns + b->period_ns;
}

void tasks_tick(struct model *m, struct proc *p)
{
    if (!has_tasks(p) || (!p->tasks && !(p->tasks = book_new())))
        return;
    struct task_book *b = p->tasks;
    bool due = m->now_ns >= b->next_ns ||
               (wished(m) && m->now_ns - b->read_ns >= period_of(m, b, 0) && !b->why_not[0]);
    struct asked *a = b->asking || !due ? NULL : malloc(sizeof(*a));
    if (!a)
        return;
    *a = (struct asked){m, p->pid, p->start_ticks};
    b->asking = true;
    b->cost_before_ns = stacker_cpu_ns(m->stacker);
    bool gc = m->gc_walk || m->wishes.gc_walk_until_ns > m->now_ns;
    if (stacker_tasks(m->stacker, p->pid, gc, WISH_ROWS_MAX, answered, a) < 0) {
        free(a);
        b->asking = false;
        put_off(m, b);
    }
}

int64_t tasks_next_ns(const struct model *m)
{
    int64_t next = INT64_MAX;
    for (const struct proc *p = m->procs; p; p = p->hh.next)
        if (has_tasks(p) && p->tasks && !p->tasks->asking && p->tasks->next_ns < next)
            next = p->tasks->next_ns;
    return next;
}

void tasks_free(struct task_book *b)
{
    book_free(b);
}

static double growth_of(const struct task_site *s)
{
    if (!s->then_ns[3]) // three windows
        return NAN;
    // Growing means in each of them: a burst that is over does not.
    for (int i = 0; i < 3; i++)
        if (s->live_then[i] <= s->live_then[i + 1])
            return 0;
    return (double)(s->live_then[0] - s->live_then[3]) * 1e9 /
           (double)(s->then_ns[0] - s->then_ns[3]);
}

static void put_site(const struct proc *p, const struct task_site *site, struct snap *s)
{
    s->task_sites[s->ntask_sites++] = (struct snap_task_site){.pid = p->pid,
                                                              .site = snap_strdup(s, site->site),
                                                              .name = snap_strdup(s, site->name),
                                                              .live = site->live,
                                                              .orphaned = site->orphaned,
                                                              .spawned = site->spawned,
                                                              .completed = site->completed,
                                                              .failed = site->failed,
                                                              .cancelled = site->cancelled,
                                                              .never_awaited = SNAP_UNKNOWN,
                                                              .errors_unread = SNAP_UNKNOWN,
                                                              .busy_looks = SNAP_UNKNOWN,
                                                              .self_wakes = SNAP_UNKNOWN,
                                                              .growth_per_s = growth_of(site),
                                                              .oldest_ns = site->oldest_ns,
                                                              .mean_ns = site->mean_ns,
                                                              .p99_ns = site->p99_ns};
}

static const char *id_of(const struct task_book *b, uint64_t address, struct snap *s)
{
    struct task *t;
    HASH_FIND(hh, b->tasks, &address, sizeof(address), t);
    return t ? snap_strdup(s, t->id) : NULL;
}

// It may have ended since the last reading: its age is what was seen of it.
static void put_task(const struct model *m, const struct proc *p, const struct task *t,
                     struct snap *s)
{
    s->tasks[s->ntasks++] = (struct snap_task){.id = snap_strdup(s, t->id),
                                               .parent = id_of(p->tasks, t->awaiter, s),
                                               .name = snap_strdup(s, t->name),
                                               .pid = p->pid,
                                               .tid = p->pid,
                                               .state = t->state,
                                               .flags = t->flags,
                                               .age_ns = p->tasks->read_ns - t->first_ns,
                                               .busy_ns = SNAP_UNKNOWN,
                                               .wait_ns = m->now_ns - t->waits_since_ns,
                                               .steps = SNAP_UNKNOWN,
                                               .spawn_site = snap_strdup(s, t->site),
                                               .await_site = snap_strdup(s, t->await_site),
                                               .waits_on = snap_strdup(s, t->waits_on),
                                               .error = snap_strdup(s, t->error),
                                               .chain = snap_hold(s, t->chain)};
}

static bool is_suspicious(const struct task *t)
{
    return (t->flags & SUSPICIOUS) && !(t->flags & TASKF_UNSTABLE);
}

static bool has_text(const char *text, const char *part)
{
    return text && strstr(text, part);
}

static bool passes(const struct wish_rows *w, const struct proc *p, const struct task *t)
{
    if (w->pid && w->pid != p->pid)
        return false;
    if (w->flags && !(t->flags & w->flags))
        return false;
    if (w->state >= 0 && (int)t->state != w->state)
        return false;
    if (!w->filter[0])
        return true;
    bool inverted = w->filter[0] == '!';
    const char *part = w->filter + inverted;
    bool found =
        has_text(t->name, part) || has_text(t->site, part) || has_text(t->await_site, part);
    return found != inverted;
}

static int order(const struct wish_rows *w, const struct task *a, const struct task *b)
{
    const char *key = w->sort + (w->sort[0] == '-');
    int r;
    if (strcmp(key, "name") == 0)
        r = strcmp(a->name ? a->name : "", b->name ? b->name : "");
    else if (strcmp(key, "state") == 0)
        r = (int)a->state - (int)b->state;
    else
        r = (a->first_ns > b->first_ns) - (a->first_ns < b->first_ns); // oldest first
    if (r == 0)
        r = (a->number > b->number) - (a->number < b->number);
    return w->sort[0] == '-' ? -r : r;
}

struct row {
    const struct proc *p;
    const struct task *t;
};

static int compare_rows(const void *a, const void *b, void *wish)
{
    return order(wish, ((const struct row *)a)->t, ((const struct row *)b)->t);
}

// The page wished for, and the suspicious ones that are not on it.
static void put_rows(struct model *m, struct snap *s, size_t ntasks)
{
    struct row *rows = malloc(sizeof(*rows) * (ntasks + 1));
    const struct wish_rows *w = &m->wishes.tasks;
    size_t n = 0, suspects = 0;
    if (!rows)
        return;
    for (struct proc *p = m->procs; p; p = p->hh.next)
        for (struct task *t = p->tasks ? p->tasks->tasks : NULL; t; t = t->hh.next)
            if (wished(m) && passes(w, p, t))
                rows[n++] = (struct row){p, t};
    qsort_r(rows, n, sizeof(*rows), compare_rows, &m->wishes.tasks);
    for (size_t i = 0; i < n; i++) {
        bool on_page = (int64_t)i >= w->first && (int64_t)i < (int64_t)w->first + w->count;
        if (on_page && s->ntasks < WISH_ROWS_MAX)
            put_task(m, rows[i].p, rows[i].t, s);
    }
    for (struct proc *p = m->procs; p; p = p->hh.next)
        for (struct task *t = p->tasks ? p->tasks->tasks : NULL; t; t = t->hh.next)
            if (is_suspicious(t) && !(wished(m) && passes(w, p, t)) && suspects++ < SUSPECTS_MAX)
                put_task(m, p, t, s);
    free(rows);
}

static void put_totals(struct proc *p, struct snap *s)
{
    const struct task_book *b = p->tasks;
    if (s->tasks_total == SNAP_UNKNOWN) {
        s->tasks_total = 0;
        memset(s->tasks_by_state, 0, sizeof(s->tasks_by_state));
    }
    s->tasks_total += b->total;
    for (int i = 0; i < 8; i++)
        s->tasks_by_state[i] += b->by_state[i];
    for (int i = 0; i < s->nprocesses; i++) {
        if (s->processes[i].pid != p->pid)
            continue;
        s->processes[i].ntasks = b->total;
        s->processes[i].norphans = 0;
        for (struct task_site *t = b->sites; t; t = t->hh.next)
            s->processes[i].norphans += t->orphaned;
    }
}

void tasks_assemble(struct model *m, struct snap *s)
{
    size_t ntasks = 0, nsites = 0, live = 0;
    for (struct proc *p = m->procs; p; p = p->hh.next) {
        live += live_count_tasks(p);
        nsites += live_count_sites(p);
        if (!p->tasks || !p->tasks->ever_read)
            continue;
        put_totals(p, s);
        ntasks += HASH_COUNT(p->tasks->tasks);
        nsites += HASH_COUNT(p->tasks->sites);
    }
    size_t rows = ntasks + (live < LIVE_ROWS_MAX ? live : LIVE_ROWS_MAX);
    s->tasks = snap_alloc(s, sizeof(*s->tasks) * (rows + 1));
    s->task_sites = snap_alloc(s, sizeof(*s->task_sites) * (nsites + 1));
    for (struct proc *p = m->procs; p; p = p->hh.next)
        for (struct task_site *t = p->tasks ? p->tasks->sites : NULL; t; t = t->hh.next)
            if (t->live + t->spawned + t->failed + t->completed + t->cancelled > 0)
                put_site(p, t, s);
    if (ntasks > 0)
        put_rows(m, s, ntasks);
    for (struct proc *p = m->procs; p; p = p->hh.next)
        live_put_sites(p, s);
    live_put_rows(m, s, wished(m));
}

const char *tasks_id(const struct proc *p, const char *address)
{
    struct task *t = NULL;
    uint64_t key = strncmp(address, "0x", 2) == 0 ? strtoull(address, NULL, 16) : 0;
    if (key && p->tasks)
        HASH_FIND(hh, p->tasks->tasks, &key, sizeof(key), t);
    return t ? t->id : NULL;
}
