// The inventory is free for the target, so it is always on. Openers are dear, so they are followed only
// when somebody asks or a kind of descriptor keeps rising, and only until enough of what survives has a
// stack.
#include "fd_watch.h"

#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
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
#define SITES_MAX       300 // in a snapshot, those with most open
#define EXAMPLES        3
#define EXAMPLES_OF     3 // a site with fewer needs none
#define SUSPICIOUS_MIN  3 // that lie about
#define SURVIVORS_KNOWN 20
#define SETTLED_NS      (1800 * SECOND_NS) // a stack that is fine for so long stays so
#define FOLLOW_MAX_NS   (3600 * SECOND_NS)
#define FOLLOW_REST_NS  (600 * SECOND_NS)

static int64_t scaled(const struct model *m, int64_t ns)
{
    return (int64_t)((double)ns * m->time_scale);
}

static bool wished(const struct model *m)
{
    return m->wishes.fd_stacks_until_ns > m->now_ns;
}

static int64_t period_of(const struct model *m, const struct fd_book *b)
{
    int64_t period = scaled(m, SECOND_NS);
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
static int64_t lying_about(const struct model *m, const struct fd_book *b, const struct fd_group *g)
{
    int64_t n = 0, age = fd_horizon_ns(&b->clock, 0);
    for (const struct fd_life *l = g->site.lives; l && m->now_ns - l->opened_ns > age; l = l->next)
        n += !l->before && m->now_ns - l->used_ns > age;
    return n;
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
        if (!g->stack && !is_explained(b, g) &&
            lying_about(m, b, g) >= g->known_lying + SUSPICIOUS_MIN)
            return true;
    return false;
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
        int64_t opened, closed;
        g->known_lying = lying_about(m, b, g);
        if (!g->stack)
            continue;
        if (!g->site.until_ns)
            g->site.until_ns = m->now_ns;
        if (fd_openers_counts(b->openers, g->stack, &opened, &closed))
            g->exact_opened += opened;
    }
    fd_openers_free(b->openers);
    b->openers = NULL;
    b->openers_again_ns = m->now_ns + scaled(m, FOLLOW_REST_NS);
}

static void follow(struct model *m, struct proc *p, struct fd_book *b)
{
    if (b->openers) {
        int64_t since = fd_openers_since_ns(b->openers);
        if (!wished(m) && (enough_known(m, b) || m->now_ns - since > scaled(m, FOLLOW_MAX_NS)))
            stop_following(m, b);
        return;
    }
    bool due = m->now_ns >= b->openers_again_ns && is_suspicious(m, b);
    if (!m->no_openers && (wished(m) || due) && b->round > 0) {
        if (fd_openers_new(&b->openers, m, p) < 0)
            m->no_openers = true; // this kernel or these privileges do not allow it
        else
            probe_also_poll(m->probe, fd_openers_fd(b->openers));
    }
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
    if (b->openers)
        fd_openers_dispatch(b->openers);
    int n = fds_list(m->fds, p->pid, &rows);
    if (n >= 0) {
        fd_book_look(b, rows, n, m->now_ns);
        p->fd_count = n;
        if (b->openers)
            fd_openers_compare(b->openers, rows, n);
    }
    b->cost_ns = cpu_ns() - began;
    if (n >= 0)
        follow(m, p, b); // loads programs, once
    b->clock.period_ns = period_of(m, b);
    b->next_ns = m->now_ns + b->clock.period_ns;
}

static bool is_watched(const struct proc *p)
{
    return !p->exited && p->nthreads > 0;
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
    for (const struct proc *p = m->procs; p; p = p->hh.next)
        if (is_watched(p) && p->fds && p->fds->next_ns < next)
            next = p->fds->next_ns;
    return next;
}

// Into the picture.

static void put_close_wait(const struct model *m, const struct fd_entry *e, struct snap_fd_site *to)
{
    if (!e->close_wait_since_ns)
        return;
    int64_t age = m->now_ns - e->close_wait_since_ns;
    to->close_wait++;
    to->close_wait_unread += e->row.unread > 0 ? e->row.unread : 0;
    if (age > to->close_wait_oldest_ns)
        to->close_wait_oldest_ns = age;
}

static void put_detail(const struct model *m, int pid, struct fd_entry *e, struct snap *s,
                       struct snap_fd *to)
{
    bool used = e->life.used_ns > e->life.opened_ns || e->row.idle_ns != FD_UNKNOWN;
    *to = (struct snap_fd){
        .fd = e->fd,
        .age_ns = m->now_ns - e->life.opened_ns,
        .idle_ns = used ? m->now_ns - e->life.used_ns : SNAP_UNKNOWN,
        .rx = SNAP_UNKNOWN,
        .tx = SNAP_UNKNOWN,
        .state = fd_state_name(&e->row),
        .target = snap_strdup(s, fd_entry_target(pid, e)),
    };
}

static void put_examples(struct fd_entry *const *entries, int n, int pid, struct snap *s,
                         struct snap_fd_site *to)
{
    char text[400] = "";
    size_t used = 0;
    int put = 0;
    for (int i = 0; i < n && put < EXAMPLES && used < sizeof(text) - 80; i++) {
        const char *target = fd_entry_target(pid, entries[i]);
        if (!target[0] || strstr(text, target))
            continue;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.120s", put++ ? ", " : "",
                                 target);
    }
    to->examples = put ? snap_strdup(s, text) : NULL;
}

static int oldest_first(const void *a, const void *b)
{
    const struct fd_entry *x = *(struct fd_entry *const *)a, *y = *(struct fd_entry *const *)b;
    return x->life.opened_ns != y->life.opened_ns
               ? (x->life.opened_ns > y->life.opened_ns) - (x->life.opened_ns < y->life.opened_ns)
               : (x->fd > y->fd) - (x->fd < y->fd);
}

static void put_entries(struct model *m, int pid, const struct fd_group *g, struct snap *s,
                        struct snap_fd_site *to, int *rows_left)
{
    int n = 0;
    struct fd_entry **entries = snap_alloc(s, sizeof(*entries) * (size_t)(g->site.open + 1));
    for (struct fd_life *l = g->site.lives; l && n < g->site.open; l = l->next)
        entries[n++] = fd_entry_of(l);
    qsort(entries, (size_t)n, sizeof(struct fd_entry *), oldest_first);
    for (int i = 0; i < n; i++)
        put_close_wait(m, entries[i], to);
    if (n >= EXAMPLES_OF || to->close_wait)
        put_examples(entries, n, pid, s, to);
    if (n > *rows_left)
        n = *rows_left;
    to->detail = snap_alloc(s, sizeof(*to->detail) * (size_t)(n + 1));
    to->ndetail = n;
    for (int i = 0; i < n; i++)
        put_detail(m, pid, entries[i], s, &to->detail[i]);
    *rows_left -= n;
}

// The tracker has seen those too that lived too short for the inventory.
static void put_exact_counts(const struct fd_book *b, const struct fd_group *g,
                             struct snap_fd_site *to)
{
    int64_t more = 0, closed = 0,
            open = to->opened - to->closed; // those of before the attach are in none
    if (g->stack && b->openers)
        fd_openers_counts(b->openers, g->stack, &more, &closed);
    if (g->exact_opened + more <= to->opened)
        return;
    to->opened = g->exact_opened + more;
    to->closed = to->opened - open;
    to->never_closed = to->closed == 0;
}

static void put_group(struct model *m, const struct proc *p, struct fd_group *g, struct snap *s,
                      int *rows_left)
{
    struct snap_fd_site *to = &s->fds[s->nfds];
    g->shown = s->nfds++;
    *to = (struct snap_fd_site){.pid = p->pid,
                                .kind = g->kind,
                                .stack = snap_hold(s, g->stack),
                                .note = snap_strdup(s, g->note),
                                .can_follow = !g->stack && !m->no_openers,
                                .verdict = "unknown"};
    fd_site_facts(&p->fds->clock, &g->site, m->now_ns, to);
    put_exact_counts(p->fds, g, to);
    put_entries(m, p->pid, g, s, to, rows_left);
}

struct choice {
    struct proc *p;
    struct fd_group *g;
};

static int most_open_first(const void *a, const void *b)
{
    const struct choice *x = a, *y = b;
    int64_t n = x->g->site.open, k = y->g->site.open;
    return (n < k) - (n > k);
}

static int choose(struct model *m, struct snap *s, struct choice **ret)
{
    int n = 0;
    for (struct proc *p = m->procs; p; p = p->hh.next)
        n += p->fds ? (int)HASH_COUNT(p->fds->groups) : 0;
    *ret = snap_alloc(s, sizeof(**ret) * (size_t)(n + 1));
    n = 0;
    for (struct proc *p = m->procs; p; p = p->hh.next)
        for (struct fd_group *g = p->fds ? p->fds->groups : NULL; g; g = g->hh.next) {
            g->shown = -1;
            if (g->site.open > 0)
                (*ret)[n++] = (struct choice){p, g};
        }
    qsort(*ret, (size_t)n, sizeof(**ret), most_open_first);
    return n < SITES_MAX ? n : SITES_MAX;
}

void fds_judged(struct model *m, const struct snap *s)
{
    for (struct proc *p = m->procs; p; p = p->hh.next)
        for (struct fd_group *g = p->fds ? p->fds->groups : NULL; g; g = g->hh.next) {
            const char *verdict = g->shown < 0 ? "" : s->fds[g->shown].verdict;
            g->leaks = strcmp(verdict, "leak") == 0;
            g->settled = strcmp(verdict, "ok") == 0;
        }
}

void fds_assemble(struct model *m, struct snap *s)
{
    struct choice *choices;
    bool details = m->wishes.fds.until_ns > m->now_ns;
    int rows = details ? m->wishes.fds.count : 0, n = choose(m, s, &choices);
    s->fds = snap_alloc(s, sizeof(*s->fds) * (size_t)(n + 1));
    for (int i = 0; i < n; i++)
        put_group(m, choices[i].p, choices[i].g, s, &rows);
    for (const struct proc *p = m->procs; p; p = p->hh.next)
        if (p->fds && p->fds->openers) {
            if (s->agent.drift == SNAP_UNKNOWN)
                s->agent.drift = 0;
            s->agent.drift += fd_openers_drift(p->fds->openers);
        }
}
