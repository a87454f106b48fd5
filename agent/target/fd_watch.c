// The inventory is free for the target, so it is always on. Openers are dear, so they are followed only
// when somebody asks or a kind of descriptor keeps rising, and only until enough of what survives has a
// stack.
#include "fd_watch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fd_book.h"
#include "fd_openers.h"
#include "threads.h"

#define SECOND_NS       1000000000LL
#define MS_NS           1000000LL
#define PERIOD_MIN_NS   (20 * MS_NS)
#define COST_TIMES      200 // a look may take half a percent of a core
#define QUIET_ROUNDS    3   // with nothing come or gone: every other look will do
#define SUSPICIOUS_MIN  3   // that lie about
#define SURVIVORS_KNOWN 20
#define SETTLED_NS      (1800 * SECOND_NS) // a stack that is fine for so long stays so
#define FOLLOW_MAX_NS   (3600 * SECOND_NS)
#define FOLLOW_REST_NS  (600 * SECOND_NS)
#define EARLY_AGE_NS    SECOND_NS // unused for so long, where the tasks that opened can be told
#define EARLY_MAX_NS    (20 * SECOND_NS)

static int64_t scaled(const struct model *m, int64_t ns)
{
    return (int64_t)((double)ns * m->time_scale);
}

static bool wished(const struct model *m)
{
    return m->wishes.fd_stacks_until_ns > m->now_ns || m->wishes.handles_until_ns > m->now_ns;
}

static int64_t period_of(const struct model *m, const struct fd_book *b)
{
    bool quiet = b->quiet_rounds >= QUIET_ROUNDS && !b->openers;
    int64_t period = scaled(m, quiet ? 2 * SECOND_NS : SECOND_NS);
    if (period < b->cost_ns * COST_TIMES)
        period = b->cost_ns * COST_TIMES;
    return period < PERIOD_MIN_NS ? PERIOD_MIN_NS : period;
}

static struct fd_book *book_new(const struct model *m)
{
    struct fd_book *b = calloc(1, sizeof(*b));
    if (!b)
        abort();
    b->clock = (struct fd_clock){.scale = m->time_scale, .period_ns = PERIOD_MIN_NS};
    return b;
}

// Old and unused: what a leak leaves behind. So do pools, which is found out by following them once.
static int64_t lying_for(const struct model *m, const struct fd_group *g, int64_t age)
{
    int64_t n = 0;
    for (const struct fd_life *l = g->site.lives; l && m->now_ns - l->opened_ns > age; l = l->next)
        n += !l->before && m->now_ns - l->used_ns > age;
    return n;
}

static int64_t lying_about(const struct model *m, const struct fd_book *b, const struct fd_group *g)
{
    return lying_for(m, g, fd_horizon_ns(&b->clock, 0));
}

// A stack that leaks descriptors of this kind is known already.
static bool is_explained(const struct fd_book *b, const struct fd_group *of)
{
    for (const struct fd_group *g = b->groups; g; g = g->hh.next)
        if (g->stack && g->leaks && g->kind == of->kind && g->site.open > 0)
            return true;
    return false;
}

static bool is_suspicious(const struct model *m, const struct fd_book *b)
{
    for (const struct fd_group *g = b->groups; g; g = g->hh.next)
        if (!g->stack && !g->handles && !is_explained(b, g) &&
            lying_about(m, b, g) >= g->known_lying + SUSPICIOUS_MIN)
            return true;
    return false;
}

// A descriptor that outlives its task needs no statistics: where tasks can be told, a few that lie unused are
// enough to look who opens them, for a short time.
static bool is_suspicious_early(const struct model *m, const struct proc *p,
                                const struct fd_book *b)
{
    int64_t age = scaled(m, EARLY_AGE_NS);
    if (!p->live || !p->live->read_once || m->now_ns < b->early_again_ns)
        return false;
    for (const struct fd_group *g = b->groups; g; g = g->hh.next)
        if (!g->stack && !g->handles && lying_for(m, g, age) >= g->known_early + SUSPICIOUS_MIN)
            return true;
    return false;
}

// What the short look was for has come to nothing.
static bool early_is_over(const struct model *m, const struct fd_book *b)
{
    if (m->now_ns - fd_openers_since_ns(b->openers) < scaled(m, EARLY_MAX_NS))
        return false;
    for (const struct fd_entry *e = b->entries; e; e = e->hh.next)
        if (fd_entry_is_orphan(e))
            return false;
    for (const struct fd_group *g = b->groups; g; g = g->hh.next)
        if (lying_about(m, b, g) >= g->known_lying + SUSPICIOUS_MIN)
            return false;
    return true;
}

// The rules have said of each stack that leaves some behind what they will say.
static bool enough_known(const struct model *m, const struct fd_book *b)
{
    bool any = false;
    for (const struct fd_group *g = b->groups; g; g = g->hh.next) {
        int64_t n = g->stack ? lying_about(m, b, g) : 0;
        bool leaks = g->leaks && n >= SURVIVORS_KNOWN;
        bool fine = g->settled && m->now_ns - g->site.began_ns > scaled(m, SETTLED_NS);
        if (n >= SUSPICIOUS_MIN && !leaks && !fine)
            return false;
        any |= leaks || fine;
    }
    return any;
}

// What is known of each stack stands from then on.
static void stop_following(struct model *m, struct fd_book *b)
{
    for (struct fd_group *g = b->groups; g; g = g->hh.next) {
        g->known_lying = b->early ? g->known_lying : lying_about(m, b, g);
        g->known_early = lying_for(m, g, scaled(m, EARLY_AGE_NS));
        if (!g->stack)
            continue;
        if (!g->site.until_ns) {
            g->site.until_ns = m->now_ns;
            g->site.until_period_ns = b->clock.period_ns;
        }
    }
    fd_openers_free(b->openers);
    b->openers = NULL;
    b->early_again_ns = m->now_ns + scaled(m, FOLLOW_REST_NS);
    if (!b->early)
        b->openers_again_ns = b->early_again_ns;
    b->early = false;
}

static void stop_when_known(struct model *m, struct fd_book *b)
{
    int64_t since = fd_openers_since_ns(b->openers);
    if (wished(m)) {
        b->early = false;
        return;
    }
    if (b->early && m->now_ns - since < scaled(m, EARLY_MAX_NS))
        return;
    if (b->early && early_is_over(m, b)) {
        stop_following(m, b);
        return;
    }
    b->early = false;
    if (enough_known(m, b) || m->now_ns - since > scaled(m, FOLLOW_MAX_NS))
        stop_following(m, b);
}

static bool is_watched(const struct proc *p)
{
    return !p->exited && p->nthreads > 0;
}

// One at a time: each takes a CPU for a while.
static bool is_starting(const struct model *m)
{
    for (const struct proc *p = m->procs; p; p = p->hh.next)
        if (p->fds && p->fds->starting)
            return true;
    return false;
}

static void go_on_starting(struct model *m, struct proc *p, struct fd_book *b)
{
    int r = fd_openers_ready(b->starting, p);
    if (r == 0)
        return;
    if (r < 0) {
        fd_openers_free(b->starting);
        m->no_openers = is_watched(p); // this kernel or these privileges do not allow it
    } else {
        b->openers = b->starting;
        for (struct fd_group *g = b->groups; g; g = g->hh.next)
            fd_unseen_begin(&g->unseen, &g->site);
        probe_also_poll(m->probe, fd_openers_fd(b->openers));
    }
    b->starting = NULL;
}

static void follow(struct model *m, struct proc *p, struct fd_book *b)
{
    if (b->openers) {
        stop_when_known(m, b);
        return;
    }
    if (m->no_openers || b->round == 0 || is_starting(m))
        return;
    bool due = m->now_ns >= b->openers_again_ns && is_suspicious(m, b);
    bool early = !due && !wished(m) && is_suspicious_early(m, p, b);
    if (!wished(m) && !due && !early)
        return;
    b->early = early;
    if (fd_openers_new(&b->starting, m, p) == 0)
        go_on_starting(m, p, b);
}

// The tracker has seen those too that lived too short for the inventory.
static void count_unseen(struct fd_book *b)
{
    int64_t opened, closed;
    for (struct fd_group *g = b->groups; g; g = g->hh.next)
        if (g->stack && fd_openers_counts(b->openers, g->stack, &opened, &closed))
            fd_unseen_count(&g->unseen, &g->site, opened, closed);
}

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void look(struct model *m, struct proc *p)
{
    const struct fd_row *rows;
    struct fd_book *b = p->fds;
    int64_t began = cpu_ns();
    if (b->openers) {
        fd_openers_tasks(b->openers, p);
        fd_openers_dispatch(b->openers);
    }
    int n = fds_list(m->fds, p->pid, &rows);
    if (n >= 0) {
        fd_book_look(b, rows, n, m->now_ns);
        p->fd_count = n;
        if (b->openers) {
            count_unseen(b);
            fd_openers_compare(b->openers, rows, n);
        }
    }
    b->cost_ns = cpu_ns() - began;
    if (n >= 0)
        follow(m, p, b);
    b->clock.period_ns = period_of(m, b);
    b->next_ns = m->now_ns + b->clock.period_ns;
}

void fds_tick(struct model *m)
{
    struct error err = {0};
    if (!m->fds) {
        if (fds_open(&m->fds, strcmp(probe_backend(m->probe), "proc") == 0, &err) < 0)
            return;
        // A tracker's slots are found by the file's identity, which /proc does not tell.
        m->no_openers = strcmp(fds_source(m->fds), "/proc") == 0;
    }
    for (struct proc *p = m->procs; p; p = p->hh.next) {
        if (p->fds && p->fds->starting)
            go_on_starting(m, p, p->fds);
        if (!is_watched(p))
            continue;
        if (!p->fds)
            p->fds = book_new(m);
        if (p->fds->openers)
            fd_openers_dispatch(p->fds->openers);
        if (m->now_ns >= p->fds->next_ns)
            look(m, p);
    }
}

int64_t fds_next_ns(const struct model *m)
{
    int64_t next = INT64_MAX;
    for (const struct proc *p = m->procs; p; p = p->hh.next) {
        if (p->fds && p->fds->starting)
            return m->now_ns + PERIOD_MIN_NS;
        if (is_watched(p) && p->fds && p->fds->next_ns < next)
            next = p->fds->next_ns;
    }
    return next;
}
