// Tasks have no birthday in memory: their age counts from the first reading that had them, or from the start
// of the sleep they are in. An address is used again within microseconds, so a task is known by address,
// number and name together.
//
// Some pitfalls show only between two readings: a task that had somebody waiting for it, has nobody now, is
// not done and was not cancelled, is the work that runs on after a timeout.
#include "task_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS   1000000000LL
#define WINDOW_NS   (10 * SECOND_NS)
#define SITES_MAX   2000
#define STUCK_NS    (30 * SECOND_NS)
#define STUCK_TIMES 10
#define PEERS_MIN   5 // tasks of a site, below which one is above its peers by chance

struct task_book *book_new(void)
{
    struct task_book *b = calloc(1, sizeof(*b));
    if (b)
        b->box = snap_new();
    return b;
}

static void task_drop(struct task_book *b, struct task *t)
{
    HASH_DEL(b->tasks, t);
    free(t);
}

void book_free(struct task_book *b)
{
    struct task *t, *next;
    struct task_site *s, *after;
    if (!b)
        return;
    HASH_ITER (hh, b->tasks, t, next)
        task_drop(b, t);
    HASH_ITER (hh, b->sites, s, after) {
        HASH_DEL(b->sites, s);
        free(s->site);
        free(s->name);
        free(s);
    }
    snap_unref(b->box);
    free(b);
}

static bool is_over(enum task_state s)
{
    return s == TASK_DONE || s == TASK_FAILED || s == TASK_CANCELLED;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct task *task_of(struct task_book *b, const struct task_row *r, int64_t now_ns)
{
    struct task *t;
    HASH_FIND(hh, b->tasks, &r->address, sizeof(r->address), t);
    if (t && (t->number != r->number || !same_text(t->name, r->name))) {
        task_drop(b, t);
        t = NULL;
    }
    if (t || !(t = calloc(1, sizeof(*t))))
        return t;
    t->address = r->address;
    t->number = r->number;
    t->first_ns = t->waits_since_ns = now_ns;
    snprintf(t->id, sizeof(t->id), "T%llu", (unsigned long long)++b->next_id);
    HASH_ADD(hh, b->tasks, address, sizeof(t->address), t);
    return t;
}

// Where the program itself waits: not within asyncio.
static int culprit_of(const struct task_row *r)
{
    for (int i = 0; i < r->nchain; i++)
        if (!r->chain[i].runtime)
            return i;
    return 0;
}

static struct stack *chain_of(struct snap *box, const struct task_row *r)
{
    struct stack *s =
        r->nchain > 0 ? stack_new(r->chain, r->nchain, culprit_of(r), false, false) : NULL;
    snap_hold(box, s);
    stack_unref(s); // the box has it
    return s;
}

static void note_temporal(struct task *t, const struct task_row *r)
{
    bool pending = !is_over(r->state);
    if (r->awaiter &&
        !(r->flags & TASKF_CYCLE)) // of a cycle's any may be told, also who waits for its lock
        t->had_awaiter = true;
    if (t->had_awaiter && !r->awaiter && pending && !(r->flags & TASKF_CANCEL_REQUESTED))
        t->flags |= TASKF_TIMED_OUT;
}

static void take_row(struct task_book *b, struct snap *box, const struct task_row *r,
                     int64_t now_ns)
{
    struct task *t = task_of(b, r, now_ns);
    if (!t)
        return;
    if (t->state != r->state || !same_text(t->await_site, r->await_site))
        t->waits_since_ns = now_ns;
    if (r->sleep_since_ns != SNAP_UNKNOWN && r->sleep_since_ns > 0) {
        t->waits_since_ns = r->sleep_since_ns;
        if (r->sleep_since_ns < t->first_ns)
            t->first_ns = r->sleep_since_ns;
    }
    t->seen = true;
    t->awaiter = r->awaiter;
    t->state = r->state;
    t->flags = r->flags;
    t->name = snap_strdup(box, r->name);
    t->site = snap_strdup(box, r->spawn_site ? r->spawn_site : r->coroutine);
    t->coroutine = snap_strdup(box, r->coroutine);
    t->await_site = snap_strdup(box, r->await_site);
    t->waits_on = snap_strdup(box, r->waits_on);
    t->error = snap_strdup(box, r->error);
    t->chain = chain_of(box, r);
    note_temporal(t, r);
}

static struct task_site *site_of(struct task_book *b, const char *name)
{
    struct task_site *s;
    HASH_FIND_STR(b->sites, name, s);
    if (s || HASH_COUNT(b->sites) >= SITES_MAX || !(s = calloc(1, sizeof(*s))))
        return s;
    s->site = strdup(name);
    HASH_ADD_KEYPTR(hh, b->sites, s->site, strlen(s->site), s);
    return s;
}

// What is gone since the last reading has ended, one way or another; its last state says which when it was
// seen ended.
static void count_ended(struct task_book *b)
{
    struct task *t, *next;
    HASH_ITER (hh, b->tasks, t, next) {
        if (t->seen)
            continue;
        struct task_site *s = site_of(b, t->site ? t->site : "?");
        if (s && !is_over(t->state)) {
            s->completed++;
            if (t->birth_seen)
                usual_add(&s->lives, b->read_ns - t->first_ns);
        }
        task_drop(b, t);
    }
}

struct waiting { // one live task, for sorting
    struct task *task;
    int64_t ns;
};

static int by_site_and_age(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    if (x->task->at != y->task->at)
        return x->task->at > y->task->at ? 1 : -1;
    return (x->ns > y->ns) - (x->ns < y->ns);
}

// One far above its peers: measured against the nine in ten that are not, of those that live and of those that have
// ended. What is stuck piles up among the living.
static void judge_site(struct waiting *w, int n, double scale)
{
    struct task_site *s = w[0].task->at;
    int64_t sum = 0, peers = w[(n - 1) * 90 / 100].ns,
            long_ns = (int64_t)((double)STUCK_NS * scale);
    for (int i = 0; i < n; i++)
        sum += w[i].ns;
    s->mean_ns = sum / n;
    s->p99_ns = w[(n * 99 + 99) / 100 - 1].ns; // of a few the longest
    int64_t usual = usual_ns(&s->lives);
    for (int i = n - 1; i >= 0 && w[i].ns >= long_ns; i--)
        if (w[i].task->state == TASK_WAITING &&
            ((n >= PEERS_MIN && w[i].ns >= STUCK_TIMES * peers) || w[i].ns / STUCK_TIMES >= usual))
            w[i].task->flags |= TASKF_STUCK;
}

static void judge_waits(struct task_book *b, int64_t now_ns)
{
    struct waiting *w = malloc(sizeof(*w) * (HASH_COUNT(b->tasks) + 1));
    int n = 0;
    for (struct task *t = b->tasks; w && t; t = t->hh.next)
        if (t->at && !is_over(t->state))
            w[n++] = (struct waiting){t, now_ns - t->waits_since_ns};
    if (n > 0)
        qsort(w, (size_t)n, sizeof(*w), by_site_and_age);
    for (int i = 0, from = 0; i < n; i++) {
        if (i + 1 < n && w[i + 1].task->at == w[from].task->at)
            continue;
        judge_site(w + from, i + 1 - from, b->time_scale);
        from = i + 1;
    }
    free(w);
}

static void move_windows(struct task_site *s, int64_t now_ns, double scale)
{
    if (s->then_ns[0] && (double)(now_ns - s->then_ns[0]) < (double)WINDOW_NS * scale)
        return;
    memmove(s->live_then + 1, s->live_then, sizeof(*s->live_then) * 3);
    memmove(s->then_ns + 1, s->then_ns, sizeof(*s->then_ns) * 3);
    s->live_then[0] = s->live;
    s->then_ns[0] = now_ns;
}

// What has been there at the first reading was spawned at a time nobody knows.
static void count_steps(const struct task_book *b, struct task_site *s, struct task *t)
{
    s->spawned += !t->counted && b->ever_read;
    t->birth_seen |= !t->counted && b->ever_read;
    t->counted = true;
    if (t->end_counted || !is_over(t->state))
        return;
    t->end_counted = true;
    if (t->birth_seen)
        usual_add(&s->lives, b->read_ns - t->first_ns);
    s->completed += t->state == TASK_DONE;
    s->failed += t->state == TASK_FAILED;
    s->cancelled += t->state == TASK_CANCELLED;
}

static void sum_sites(struct task_book *b, int64_t now_ns)
{
    struct task_site *s;
    for (s = b->sites; s; s = s->hh.next)
        s->live = s->orphaned = s->oldest_ns = s->mean_ns = s->p99_ns = 0;
    memset(b->by_state, 0, sizeof(b->by_state));
    for (struct task *t = b->tasks; t; t = t->hh.next) {
        b->by_state[t->state & 7]++;
        s = t->at = site_of(b, t->site ? t->site : "?");
        if (!s)
            continue;
        if (!s->name && t->coroutine)
            s->name = strdup(t->coroutine);
        count_steps(b, s, t);
        if (is_over(t->state))
            continue;
        s->live++;
        s->orphaned += (t->flags & TASKF_ORPHANED) != 0;
        if (now_ns - t->first_ns > s->oldest_ns)
            s->oldest_ns = now_ns - t->first_ns;
    }
    judge_waits(b, now_ns);
    for (s = b->sites; s; s = s->hh.next)
        move_windows(s, now_ns, b->time_scale);
}

void book_read(struct task_book *b, const struct tasks_answer *a, int64_t now_ns, double scale)
{
    b->time_scale = scale;
    b->read_ns = now_ns;
    struct snap *box = snap_new();
    for (struct task *t = b->tasks; t; t = t->hh.next)
        t->seen = false;
    for (int i = 0; i < a->nrows; i++)
        take_row(b, box, &a->rows[i], now_ns);
    count_ended(b); // its texts still lie in the old box
    snap_unref(b->box);
    b->box = box;
    b->total = a->total;
    b->unstable = a->unstable;
    b->cut = a->cut;
    b->why_not[0] = '\0';
    sum_sites(b, now_ns);
    b->ever_read = true;
}
