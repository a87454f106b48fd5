// A task in the table says itself what it is: orphaned, cancelled, past its deadline. What it cannot say is how long
// nobody has minded: that is told from one look to the next, and only of a slot that still holds the same task.
#include "live_book.h"

#include <stdlib.h>
#include <string.h>

#define MS          1000000LL
#define SECOND      (1000 * MS)
#define WINDOW_NS   (2 * SECOND)
#define STUCK_NS    (30 * SECOND)
#define STUCK_TIMES 10
#define PEERS_MIN   20 // ended tasks of a site before one that has not is measured against them
#define BUSY_STEPS  100
#define YIELD_LOOKS 3
#define UNREAD_NS   SECOND
#define UNREAD_MIN  3

#define PERCENTILES_A_LOOK 256

void live_book_free(struct live_book *b)
{
    free(b->marks);
    free(b->sums);
    live_locks_free(b->locks);
    memset(b, 0, sizeof(*b));
}

enum task_state live_state(const struct ls_abi_task *s)
{
    switch (s->state) {
    case LS_ABI_NEW: return TASK_NEW;
    case LS_ABI_READY: return TASK_READY;
    case LS_ABI_RUNNING: return TASK_RUNNING;
    case LS_ABI_DONE: return TASK_DONE;
    case LS_ABI_FAILED: return TASK_FAILED;
    case LS_ABI_CANCELLED: return TASK_CANCELLED;
    default: return TASK_WAITING;
    }
}

bool live_is_over(const struct ls_abi_task *s)
{
    return s->state >= LS_ABI_DONE;
}

static int64_t since(uint64_t then, int64_t now_ns)
{
    return then > 0 && then < (uint64_t)now_ns ? now_ns - (int64_t)then : 0;
}

int64_t live_wait_ns(const struct ls_abi_task *s, int64_t now_ns)
{
    return since(s->resumed_ns ? s->resumed_ns : s->created_ns, now_ns);
}

static int64_t scaled(const struct live_book *b, int64_t ns)
{
    return (int64_t)((double)ns * b->time_scale);
}

static int make_room(struct live_book *b, const struct live_table *t)
{
    if (t->nslots > b->nmarks) {
        struct live_mark *marks = realloc(b->marks, t->slots_cap * sizeof(*marks));
        if (!marks)
            return -1;
        memset(marks + b->nmarks, 0, (t->slots_cap - b->nmarks) * sizeof(*marks));
        b->marks = marks;
        b->nmarks = t->slots_cap;
    }
    if (t->nsites > b->nsums) {
        struct live_sum *sums = realloc(b->sums, t->nsites * sizeof(*sums));
        if (!sums)
            return -1;
        memset(sums + b->nsums, 0, (t->nsites - b->nsums) * sizeof(*sums));
        for (uint32_t i = b->nsums; i < t->nsites; i++)
            sums[i].usual_ns = sums[i].p99_ns = SNAP_UNKNOWN;
        b->sums = sums;
        b->nsums = t->nsites;
    }
    return 0;
}

// ---- how long tasks of a site usually take ----

static int64_t percentile(const uint64_t *buckets, uint64_t ended, uint64_t longer, double q)
{
    uint64_t seen = ended > longer ? ended - longer : 0, rank = (uint64_t)(q * (double)ended);
    if (seen > rank)
        return 0; // those that took no time at all
    for (unsigned i = 0; i < LS_ABI_SITE_BUCKETS; i++)
        if ((seen += buckets[i]) > rank)
            return live_bucket_limit(i);
    return live_bucket_limit(LS_ABI_SITE_BUCKETS - 1);
}

static void learn_durations(struct live_book *b, const struct live_table *t)
{
    uint64_t buckets[LS_ABI_SITE_BUCKETS];
    int asked = 0;
    for (uint32_t i = 0; t->have_stats && i < t->nsites && asked < PERCENTILES_A_LOOK; i++) {
        const struct ls_abi_site_stats *s = &t->stats[i];
        struct live_sum *sum = &b->sums[i];
        uint64_t ended = s->completed + s->failed + s->cancelled, longer = 0;
        if (ended == 0 || ended == sum->usual_of)
            continue;
        asked++;
        live_buckets(t, i, buckets);
        for (unsigned k = 0; k < LS_ABI_SITE_BUCKETS; k++)
            longer += buckets[k];
        sum->usual_ns = percentile(buckets, ended, longer, 0.90);
        sum->p99_ns = percentile(buckets, ended, longer, 0.99);
        sum->usual_of = ended;
    }
}

// ---- one task ----

static struct live_mark *mark_of(struct live_book *b, uint32_t i, const struct ls_abi_task *s)
{
    struct live_mark *m = &b->marks[i];
    if (m->id != s->id) // of a young one all steps are recent
        *m = (struct live_mark){.id = s->id,
                                .steps = since(s->created_ns, b->now_ns) < SECOND ? 0 : s->steps};
    return m;
}

// Whoever awaited it has gone on without it, by a deadline over it or by giving up the wait; and it has run since.
static bool runs_on(const struct live_book *b, struct live_mark *m, const struct ls_abi_task *s)
{
    bool awaited = s->flags & LS_ABI_AWAITED, let_go = m->was_awaited && !awaited;
    m->was_awaited |= awaited;
    if (live_is_over(s) || awaited || s->flags & LS_ABI_CANCEL_REQUESTED) {
        m->gave_up = 0;
        return false;
    }
    if (!m->gave_up && (s->flags & LS_ABI_TIMED_OUT || let_go)) {
        m->gave_up = b->now_ns;
        m->steps_given_up = s->steps;
    }
    return m->gave_up && s->steps > m->steps_given_up;
}

// Waits that somebody's work ends; not those for what may never come: a client's next word, a value, an event.
static bool waits_for_work(const struct ls_abi_task *s)
{
    if (s->state != LS_ABI_WAITING)
        return false;
    switch (s->wait) {
    case LS_ABI_WAIT_LIMIT:
    case LS_ABI_WAIT_SEM:
    case LS_ABI_WAIT_MUTEX:
    case LS_ABI_WAIT_CHAN_SEND:
    case LS_ABI_WAIT_WRITE:
    case LS_ABI_WAIT_CONNECT:
    case LS_ABI_WAIT_FILE:
    case LS_ABI_WAIT_DNS:
    case LS_ABI_WAIT_OFFLOAD: return true;
    default: return false;
    }
}

// A wait that has ended since the look before took at most as long as it had taken then, and the time since.
static void learn_wait(struct live_book *b, struct live_mark *m, const struct ls_abi_task *s)
{
    if (m->wait_site && m->wait_site < b->nsums && m->steps != s->steps)
        usual_add(&b->sums[m->wait_site].waits,
                  (int64_t)m->waited_ms * MS + (b->now_ns - b->before_ns));
    int64_t ms = live_wait_ns(s, b->now_ns) / MS;
    m->wait_site = waits_for_work(s) ? s->await_site : 0;
    m->waited_ms = ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

// Other tasks go on soon from where this one waits.
static bool is_stuck_there(const struct live_book *b, const struct ls_abi_task *s, int64_t wait)
{
    return waits_for_work(s) && s->await_site < b->nsums && wait >= scaled(b, STUCK_NS) &&
           wait / STUCK_TIMES >= usual_ns(&b->sums[s->await_site].waits);
}

static bool is_stuck(const struct live_book *b, const struct ls_abi_task *s)
{
    const struct live_sum *sum = &b->sums[s->spawn_site];
    int64_t wait = live_wait_ns(s, b->now_ns);
    if (is_stuck_there(b, s, wait))
        return true;
    if (s->state != LS_ABI_WAITING || s->wait == LS_ABI_WAIT_ACCEPT ||
        s->wait == LS_ABI_WAIT_SIGNAL || s->wait == LS_ABI_WAIT_GROUP ||
        s->wait == LS_ABI_WAIT_TASK || s->wait == LS_ABI_WAIT_CHILDREN)
        return false;
    return wait >= scaled(b, STUCK_NS) && sum->usual_ns != SNAP_UNKNOWN &&
           sum->usual_of >= PEERS_MIN && wait / STUCK_TIMES >= sum->usual_ns;
}

// Nobody has taken its result though whoever spawned it is busy with other things, and no task of its site has
// ever been awaited: a program that awaits them later would have been seen to.
static bool is_dropped(const struct live_book *b, const struct live_table *t,
                       const struct live_mark *m, const struct ls_abi_task *s)
{
    const struct ls_abi_site_stats *st = &t->stats[s->spawn_site];
    const struct live_sum *sum = &b->sums[s->spawn_site];
    const struct ls_abi_task *parent = live_task(t, s->parent);
    uint64_t ended = st->completed + st->failed + st->cancelled;
    if (s->flags & (LS_ABI_AWAITED | LS_ABI_IN_GROUP | LS_ABI_DETACHED) || !t->have_stats ||
        !parent || b->now_ns - m->over_ns < scaled(b, UNREAD_NS))
        return false;
    if (parent->state == LS_ABI_WAITING &&
        (parent->wait == LS_ABI_WAIT_TASK || parent->wait == LS_ABI_WAIT_GROUP))
        return false;
    return !sum->awaited_now && sum->over_unread >= UNREAD_MIN &&
           ended <= (uint64_t)sum->over_unread + st->never_awaited;
}

// A task that has run often since the last look, and was found to have given way to others only.
static bool wakes_itself(struct live_book *b, const struct live_mark *m,
                         const struct ls_abi_task *s)
{
    struct live_sum *sum = &b->sums[s->spawn_site];
    bool yielded = s->wait == LS_ABI_WAIT_YIELD;
    if (live_is_over(s) || s->steps < m->steps + BUSY_STEPS)
        return false;
    sum->looks++;
    sum->yields += yielded;
    return yielded && sum->looks >= YIELD_LOOKS && sum->yields * 2 > sum->looks;
}

static unsigned plain_flags(const struct ls_abi_task *s)
{
    bool over = live_is_over(s);
    unsigned flags = 0;
    if (s->flags & LS_ABI_DETACHED)
        flags |= TASKF_DETACHED;
    if (s->flags & LS_ABI_ORPHANED && !over)
        flags |= TASKF_ORPHANED;
    if (s->flags & LS_ABI_CANCEL_REQUESTED && !over)
        flags |= TASKF_CANCEL_REQUESTED;
    if (s->state == LS_ABI_NEW)
        flags |= TASKF_NEVER_STARTED;
    if (s->state == LS_ABI_FAILED && !(s->flags & (LS_ABI_AWAITED | LS_ABI_IN_GROUP)))
        flags |= TASKF_ERROR_UNREAD;
    return flags;
}

static void judge_task(struct live_book *b, const struct live_table *t, uint32_t i)
{
    const struct ls_abi_task *s = &t->slots[i];
    struct live_mark *m = mark_of(b, i, s);
    bool over = live_is_over(s);
    if (over && !m->over_ns)
        m->over_ns = b->now_ns;
    unsigned flags = plain_flags(s);
    if (runs_on(b, m, s))
        flags |= TASKF_TIMED_OUT;
    if (is_stuck(b, s))
        flags |= TASKF_STUCK;
    if (over && is_dropped(b, t, m, s))
        flags |= TASKF_NEVER_AWAITED;
    if (wakes_itself(b, m, s))
        flags |= TASKF_SELF_WAKING;
    learn_wait(b, m, s);
    m->flags = flags;
    m->steps = s->steps;
}

// ---- sums by site ----

static void begin_sums(struct live_book *b)
{
    for (uint32_t i = 0; i < b->nsums; i++) {
        struct live_sum *s = &b->sums[i];
        s->live = s->orphaned = s->over_unread = s->oldest_ns = s->longest_wait_ns = 0;
        s->awaited_now = false;
    }
    memset(b->by_state, 0, sizeof(b->by_state));
    b->total = 0;
}

static void add_task(struct live_book *b, const struct ls_abi_task *s)
{
    struct live_sum *sum = &b->sums[s->spawn_site];
    int64_t age = since(s->created_ns, b->now_ns), wait = live_wait_ns(s, b->now_ns);
    b->total++;
    b->by_state[live_state(s)]++;
    sum->awaited_now |= (s->flags & LS_ABI_AWAITED) != 0;
    if (live_is_over(s)) {
        sum->over_unread++;
        return;
    }
    sum->live++;
    sum->orphaned += (s->flags & LS_ABI_ORPHANED) != 0;
    if (age > sum->oldest_ns)
        sum->oldest_ns = age;
    if (s->state == LS_ABI_WAITING && wait > sum->longest_wait_ns)
        sum->longest_wait_ns = wait;
}

static void turn_windows(struct live_book *b)
{
    for (uint32_t i = 0; i < b->nsums; i++) {
        struct live_sum *s = &b->sums[i];
        if (s->then_ns[0] && b->now_ns - s->then_ns[0] < scaled(b, WINDOW_NS))
            continue;
        memmove(s->then + 1, s->then, sizeof(*s->then) * (LIVE_WINDOWS - 1));
        memmove(s->then_ns + 1, s->then_ns, sizeof(*s->then_ns) * (LIVE_WINDOWS - 1));
        s->then[0] = s->live;
        s->then_ns[0] = b->now_ns;
    }
}

static void watch_turns(struct live_book *b, const struct live_table *t)
{
    uint64_t turns = 0;
    for (uint32_t i = 0; i < t->nloops; i++)
        turns += t->loops[i].iteration;
    if (turns != b->turns || b->loops_still_ns == 0)
        b->loops_still_ns = b->now_ns;
    b->turns = turns;
}

int live_book_judge(struct live_book *b, const struct live_table *t, int64_t now_ns, double scale)
{
    b->before_ns = b->now_ns ? b->now_ns : now_ns;
    b->now_ns = now_ns;
    b->time_scale = scale;
    if (t->nsites == 0)
        return 0; // no task without a site
    if (make_room(b, t) < 0)
        return -1;
    begin_sums(b);
    watch_turns(b, t);
    learn_durations(b, t);
    for (uint32_t i = 0; i < t->nslots; i++)
        if (live_counts(&t->slots[i]))
            add_task(b, &t->slots[i]);
    for (uint32_t i = 0; i < t->nslots; i++)
        if (live_counts(&t->slots[i]))
            judge_task(b, t, i);
        else
            b->marks[i].id = 0;
    turn_windows(b);
    live_graph_judge(b, t);
    live_room_judge(b, t);
    return 0;
}
