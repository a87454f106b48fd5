#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live.h"

#define SUSPECTS_MAX (LIVE_ROWS_MAX - WISH_ROWS_MAX)
#define CHAIN_MAX    32
#define SUSPICIOUS                                                                                 \
    (TASKF_ORPHANED | TASKF_STUCK | TASKF_TIMED_OUT | TASKF_ERROR_UNREAD |                         \
     TASKF_CANCEL_REQUESTED | TASKF_NEVER_STARTED | TASKF_NEVER_AWAITED | TASKF_SELF_WAKING |      \
     TASKF_CYCLE | TASKF_NO_WAKER)

// ---- texts ----

const char *live_site_text(const struct live_table *t, uint32_t site, struct snap *box)
{
    const struct live_site *s = live_site(t, site);
    if (!s)
        return NULL;
    const char *file = live_string(t, s->file), *slash = strrchr(file, '/');
    return snap_printf(box, "%s:%u", slash ? slash + 1 : file, s->line);
}

const char *live_name(const struct live_table *t, const struct ls_abi_task *s, struct snap *box)
{
    const struct live_site *site = live_site(t, s->spawn_site);
    if (s->name[0])
        return snap_strdup(box, s->name);
    const char *label = site ? live_string(t, site->label) : "";
    return label[0] ? snap_strdup(box, label) : NULL;
}

static const char *site_name(const struct live_table *t, uint32_t site, struct snap *box)
{
    const struct live_site *s = live_site(t, site);
    const char *label = s ? live_string(t, s->label) : "";
    return label[0] ? snap_strdup(box, label) : NULL;
}

static const char *id_text(const struct live *l, uint64_t id, struct snap *s)
{
    if (!id)
        return NULL;
    return l->ordinal ? snap_printf(s, "%llu/%d", (unsigned long long)id, l->ordinal + 1)
                      : snap_printf(s, "%llu", (unsigned long long)id);
}

static const char *task_text(const struct live *l, uint64_t id, struct snap *s)
{
    const struct ls_abi_task *t = live_task(&l->table, id);
    const char *name = t ? live_name(&l->table, t, s) : NULL;
    return snap_printf(s, "%s%stask %s", name ? name : "", name ? ", " : "", id_text(l, id, s));
}

static const char *sleep_text(const struct live *l, const struct ls_abi_task *t, struct snap *s)
{
    int64_t left = (int64_t)(t->wait_object - (uint64_t)l->book.now_ns);
    return left > 0 ? snap_printf(s, "a sleep, %.1f s of it left", (double)left / 1e9) : "a sleep";
}

static const char *lock_text(const struct live *l, const struct ls_abi_task *t, struct snap *s)
{
    uint64_t holder = live_waits_for(&l->book, &l->table, t);
    const char *what = t->wait == LS_ABI_WAIT_MUTEX
                           ? "a mutex"
                           : snap_printf(s, "semaphore 0x%llx", (unsigned long long)t->wait_object);
    return holder ? snap_printf(s, "%s that %s holds", what, task_text(l, holder, s)) : what;
}

static const char *waits_on(const struct live *l, const struct ls_abi_task *t, struct snap *s)
{
    unsigned long long o = t->wait_object;
    if (t->state != LS_ABI_WAITING && t->state != LS_ABI_ENDING)
        return t->state == LS_ABI_READY && t->wait == LS_ABI_WAIT_YIELD ? "its next turn" : NULL;
    switch (t->wait) {
    case LS_ABI_WAIT_TASK: return task_text(l, o, s);
    case LS_ABI_WAIT_GROUP: return "the tasks of its group";
    case LS_ABI_WAIT_LIMIT: return "room within its group's limit";
    case LS_ABI_WAIT_CHILDREN: return "the tasks that it left running";
    case LS_ABI_WAIT_SLEEP: return sleep_text(l, t, s);
    case LS_ABI_WAIT_YIELD: return "its next turn";
    case LS_ABI_WAIT_SEM:
    case LS_ABI_WAIT_MUTEX: return lock_text(l, t, s);
    case LS_ABI_WAIT_EVENT: return snap_printf(s, "event 0x%llx", o);
    case LS_ABI_WAIT_COND: return snap_printf(s, "condition 0x%llx", o);
    case LS_ABI_WAIT_CHAN_SEND: return snap_printf(s, "room in channel 0x%llx", o);
    case LS_ABI_WAIT_CHAN_RECV: return snap_printf(s, "a value from channel 0x%llx", o);
    case LS_ABI_WAIT_SELECT: return "one of several channels";
    case LS_ABI_WAIT_READ: return snap_printf(s, "data on fd %lld", o);
    case LS_ABI_WAIT_WRITE: return snap_printf(s, "room on fd %lld", o);
    case LS_ABI_WAIT_CONNECT: return snap_printf(s, "a connection on fd %lld", o);
    case LS_ABI_WAIT_ACCEPT: return snap_printf(s, "a client on fd %lld", o);
    case LS_ABI_WAIT_SHUTDOWN: return snap_printf(s, "the shutdown of fd %lld", o);
    case LS_ABI_WAIT_POLL: return snap_printf(s, "readiness of fd %lld", o);
    case LS_ABI_WAIT_FILE: return "a file operation";
    case LS_ABI_WAIT_DNS: return "a name's address";
    case LS_ABI_WAIT_PROCESS: return snap_printf(s, "child %lld", o);
    case LS_ABI_WAIT_SIGNAL: return snap_printf(s, "signal %lld", o);
    case LS_ABI_WAIT_OFFLOAD: return "a job on the pool";
    case LS_ABI_WAIT_BUS: return "a message";
    case LS_ABI_WAIT_CLOSE: return "the end of a close";
    default: return NULL;
    }
}

static const char *error_text(int error, struct snap *s)
{
    if (error >= 0)
        return NULL;
    const char *name = error > -4096 ? strerrorname_np(-error) : NULL;
    return name ? snap_strdup(s, name) : snap_printf(s, "error %d", error);
}

// ---- the chain of waits: innermost first, as a stack is shown; a cycle ends where it begins ----

static struct frame frame_of(const struct live_table *t, const struct ls_abi_task *s,
                             struct snap *box)
{
    const struct live_site *site = live_site(t, s->await_site);
    const char *name = live_name(t, s, box);
    return (struct frame){
        .function = name ? snap_printf(box, "%s (task %llu)", name, (unsigned long long)s->id)
                         : snap_printf(box, "task %llu", (unsigned long long)s->id),
        .file = site ? snap_strdup(box, live_string(t, site->file)) : NULL,
        .line = site ? (int)site->line : 0,
        .kind = FRAME_NATIVE};
}

static struct stack *chain_of(const struct live *l, const struct ls_abi_task *s, struct snap *box)
{
    struct frame frames[CHAIN_MAX];
    int n = 0;
    uint64_t first = s->id;
    for (const struct ls_abi_task *t = s; t && n < CHAIN_MAX;) {
        frames[CHAIN_MAX - ++n] = frame_of(&l->table, t, box);
        t = live_task(&l->table, live_waits_for(&l->book, &l->table, t));
        if (t && t->id == first && n < CHAIN_MAX) {
            frames[CHAIN_MAX - ++n] = frame_of(&l->table, t, box);
            break;
        }
    }
    struct stack *stack = stack_new(frames + CHAIN_MAX - n, n, 0, false, false);
    snap_hold(box, stack);
    stack_unref(stack);
    return stack;
}

// ---- rows ----

struct row {
    const struct live *l;
    const struct ls_abi_task *t;
    const struct live_mark *m;
};

static void put_task(const struct row *r, struct snap *s)
{
    const struct live_table *t = &r->l->table;
    int64_t now = r->l->book.now_ns, age = now - (int64_t)r->t->created_ns;
    s->tasks[s->ntasks++] = (struct snap_task){.id = id_text(r->l, r->t->id, s),
                                               .parent = id_text(r->l, r->t->parent, s),
                                               .name = live_name(t, r->t, s),
                                               .pid = r->l->pid,
                                               .tid = t->loops[r->t->loop].tid,
                                               .state = live_state(r->t),
                                               .flags = r->m->flags,
                                               .age_ns = age > 0 ? age : 0,
                                               .busy_ns = (int64_t)r->t->busy_ns,
                                               .wait_ns = live_wait_ns(r->t, now),
                                               .steps = (int64_t)r->t->steps,
                                               .spawn_site = live_site_text(t, r->t->spawn_site, s),
                                               .await_site = live_site_text(t, r->t->await_site, s),
                                               .waits_on = waits_on(r->l, r->t, s),
                                               .error = error_text(r->t->error, s),
                                               .chain = chain_of(r->l, r->t, s)};
}

static bool matches(const struct live *l, const struct ls_abi_task *t, const char *filter)
{
    const struct live_site *site = live_site(&l->table, t->spawn_site);
    bool inverted = filter[0] == '!', found = strstr(t->name, filter + inverted) != NULL;
    if (!found && site) {
        char text[300];
        snprintf(text, sizeof(text), "%s:%u", live_string(&l->table, site->file), site->line);
        found = strstr(text, filter + inverted) ||
                (!t->name[0] && strstr(live_string(&l->table, site->label), filter + inverted));
    }
    return found != inverted;
}

static bool passes(const struct wish_rows *w, const struct row *r)
{
    if (w->pid && w->pid != r->l->pid)
        return false;
    if (w->tid && w->tid != r->l->table.loops[r->t->loop].tid)
        return false;
    if (w->flags && !(r->m->flags & w->flags))
        return false;
    if (w->state >= 0 && (int)live_state(r->t) != w->state)
        return false;
    return !w->filter[0] || matches(r->l, r->t, w->filter);
}

static int compare(const void *a, const void *b, void *wish)
{
    const struct row *x = a, *y = b;
    const char *sort = ((const struct wish_rows *)wish)->sort;
    bool inverted = sort[0] == '-';
    const char *key = sort + inverted;
    int r = 0;
    if (strcmp(key, "name") == 0)
        r = strcmp(x->t->name, y->t->name);
    else if (strcmp(key, "state") == 0)
        r = (int)live_state(x->t) - (int)live_state(y->t);
    else if (strcmp(key, "busy") == 0)
        r = (y->t->busy_ns > x->t->busy_ns) - (y->t->busy_ns < x->t->busy_ns);
    if (r == 0)
        r = (x->t->created_ns > y->t->created_ns) - (x->t->created_ns < y->t->created_ns);
    if (r == 0)
        r = (x->t->id > y->t->id) - (x->t->id < y->t->id);
    return inverted ? -r : r;
}

size_t live_count_tasks(const struct proc *p)
{
    size_t n = 0;
    for (const struct live *l = p->live; l; l = l->next)
        if (l->read_once && !l->refused)
            n += (size_t)l->book.total;
    return n;
}

static size_t collect(const struct model *m, struct row *rows, size_t max)
{
    size_t n = 0;
    for (const struct proc *p = m->procs; p; p = p->hh.next)
        for (const struct live *l = p->live; l; l = l->next)
            for (uint32_t i = 0; l->read_once && !l->refused && i < l->table.nslots; i++)
                if (live_counts(&l->table.slots[i]) && i < l->book.nmarks && n < max)
                    rows[n++] = (struct row){l, &l->table.slots[i], &l->book.marks[i]};
    return n;
}

// Rows that pass come first; their number.
static size_t part(struct row *rows, size_t n, const struct wish_rows *w)
{
    size_t passing = 0;
    for (size_t i = 0; i < n; i++) {
        if (!passes(w, &rows[i]))
            continue;
        struct row swap = rows[i];
        rows[i] = rows[passing];
        rows[passing++] = swap;
    }
    return passing;
}

void live_put_rows(struct model *m, struct snap *s, bool wished)
{
    size_t all = 0, passing = 0, suspects = 0;
    struct wish_rows *w = &m->wishes.tasks;
    for (const struct proc *p = m->procs; p; p = p->hh.next)
        all += live_count_tasks(p);
    struct row *rows = all > 0 ? malloc(sizeof(*rows) * all) : NULL;
    if (!rows)
        return;
    all = collect(m, rows, all);
    if (wished) {
        passing = part(rows, all, w);
        qsort_r(rows, passing, sizeof(*rows), compare, w);
    }
    size_t first = w->first > s->ntasks ? (size_t)(w->first - s->ntasks) : 0;
    for (size_t i = first; i < passing && s->ntasks < WISH_ROWS_MAX && s->ntasks < w->count; i++)
        put_task(&rows[i], s);
    for (size_t i = passing; i < all && suspects < SUSPECTS_MAX; i++) {
        if (!(rows[i].m->flags & SUSPICIOUS))
            continue;
        put_task(&rows[i], s);
        suspects++;
    }
    free(rows);
}

// ---- sites and totals ----

static bool has_news(const struct live *l, uint32_t i)
{
    const struct ls_abi_site_stats *st = &l->table.stats[i];
    return l->book.sums[i].live > 0 || l->book.sums[i].over_unread > 0 ||
           l->book.sums[i].looks > 0 || st->created > 0;
}

size_t live_count_sites(const struct proc *p)
{
    size_t n = 0;
    for (const struct live *l = p->live; l; l = l->next)
        if (l->read_once && !l->refused)
            n += l->book.nsums;
    return n;
}

static double growth_of(const struct live_sum *s)
{
    if (!s->then_ns[LIVE_WINDOWS - 1])
        return NAN;
    for (int i = 0; i < LIVE_WINDOWS - 1; i++) // in each window: a burst that is over is none
        if (s->then[i] <= s->then[i + 1])
            return 0;
    return (double)(s->then[0] - s->then[LIVE_WINDOWS - 1]) * 1e9 /
           (double)(s->then_ns[0] - s->then_ns[LIVE_WINDOWS - 1]);
}

static void put_site(const struct live *l, uint32_t i, struct snap *s)
{
    const struct live_table *t = &l->table;
    const struct ls_abi_site_stats *st = &t->stats[i];
    const struct live_sum *sum = &l->book.sums[i];
    uint64_t ended = st->completed + st->failed + st->cancelled;
    bool known = t->have_stats;
    s->task_sites[s->ntask_sites++] =
        (struct snap_task_site){.pid = l->pid,
                                .site = i ? live_site_text(t, i, s) : "?",
                                .name = site_name(t, i, s),
                                .live = sum->live,
                                .orphaned = sum->orphaned,
                                .spawned = known ? (int64_t)st->created : SNAP_UNKNOWN,
                                .completed = known ? (int64_t)st->completed : SNAP_UNKNOWN,
                                .failed = known ? (int64_t)st->failed : SNAP_UNKNOWN,
                                .cancelled = known ? (int64_t)st->cancelled : SNAP_UNKNOWN,
                                .never_awaited = known ? (int64_t)st->never_awaited : SNAP_UNKNOWN,
                                .errors_unread = known ? (int64_t)st->errors_unread : SNAP_UNKNOWN,
                                .last_error = error_text(st->last_error, s),
                                .busy_looks = sum->looks,
                                .self_wakes = sum->yields,
                                .growth_per_s = growth_of(sum),
                                .oldest_ns = sum->oldest_ns,
                                .mean_ns = ended > 0 ? st->sum_ns / (int64_t)ended : SNAP_UNKNOWN,
                                .p99_ns = sum->p99_ns};
}

void live_put_sites(const struct proc *p, struct snap *s)
{
    for (const struct live *l = p->live; l; l = l->next)
        for (uint32_t i = 0; l->read_once && !l->refused && i < l->book.nsums; i++)
            if (has_news(l, i))
                put_site(l, i, s);
}

static void put_misuse(const struct live *l, struct snap *s, struct snap_process *to)
{
    const struct ls_abi_header *h = &l->table.header;
    if (to->misuse.calls == SNAP_UNKNOWN)
        to->misuse.calls = 0;
    if (h->wrong_calls == 0 || h->wrong_calls > INT64_MAX)
        return;
    to->misuse.calls += (int64_t)h->wrong_calls;
    to->misuse.tid = h->wrong_tid;
    to->misuse.loop_tid = h->wrong_loop < l->table.nloops ? l->table.loops[h->wrong_loop].tid : 0;
    to->misuse.function = snap_strdup(s, live_string(&l->table, h->wrong_name));
    to->misuse.site = live_site_text(&l->table, h->wrong_site, s);
}

void live_put_totals(const struct proc *p, struct snap *s, struct snap_process *to)
{
    for (const struct live *l = p->live; l; l = l->next) {
        if (!l->read_once || l->refused)
            continue;
        if (to->ntasks == SNAP_UNKNOWN)
            to->ntasks = to->norphans = 0;
        if (s->tasks_total == SNAP_UNKNOWN) {
            s->tasks_total = 0;
            memset(s->tasks_by_state, 0, sizeof(s->tasks_by_state));
        }
        s->tasks_total += l->book.total;
        to->ntasks += l->book.total;
        for (int i = 0; i < 8; i++)
            s->tasks_by_state[i] += l->book.by_state[i];
        for (uint32_t i = 0; i < l->book.nsums; i++)
            to->norphans += l->book.sums[i].orphaned;
        put_misuse(l, s, to);
    }
}
