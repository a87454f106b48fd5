// Descriptors into the picture: by opening site, those with most open, and of them the rows wished for.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fd_book.h"
#include "fd_openers.h"
#include "fd_watch.h"

#define SITES_MAX    300 // in a snapshot, those with most open
#define EXAMPLES     3
#define EXAMPLES_OF  3  // a site with fewer needs none
#define SPAWN_SITES  16 // told apart among the openers of one group
#define ORPHAN_TASKS 64 // counted at most
#define WAITS_ASKED  32 // descriptors that are looked for in what tasks wait on, of a group

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
    fd_task_refer(&e->task, s, &to->task);
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

struct opened_by { // one spawn site
    const struct fd_entry *newest;
    int64_t n;
    bool one_task;
};

static void count_site(struct opened_by *sites, int *nsites, const struct fd_entry *e)
{
    int i = 0;
    while (i < *nsites && !fd_task_same_site(&sites[i].newest->task, &e->task))
        i++;
    if (i == SPAWN_SITES)
        return;
    if (i == *nsites)
        sites[(*nsites)++] = (struct opened_by){.newest = e, .one_task = true};
    sites[i].n++;
    sites[i].one_task &= sites[i].newest->task.id == e->task.id;
    sites[i].newest = e;
}

static bool is_among(const uint64_t *ids, int64_t n, uint64_t id)
{
    for (int64_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

// Of the descriptors of one spawn site: whose task has ended, and nobody has taken them over.
static void put_orphans(const struct model *m, const struct proc *p, struct fd_entry *const *all,
                        int n, const struct fd_task *of, struct snap_fd_site *to)
{
    uint64_t ids[ORPHAN_TASKS];
    int64_t first = INT64_MAX, last = 0;
    int asked = 0;
    for (int i = 0; i < n; i++) {
        const struct fd_entry *e = all[i];
        if (!fd_entry_is_orphan(e) || !fd_task_same_site(&e->task, of) ||
            (asked < WAITS_ASKED && ++asked && fd_task_waits_on(p, e->fd)))
            continue;
        to->orphans++;
        if (to->orphan_tasks < ORPHAN_TASKS && !is_among(ids, to->orphan_tasks, e->task.id))
            ids[to->orphan_tasks++] = e->task.id;
        first = e->task_over_ns < first ? e->task_over_ns : first;
        last = e->task_over_ns > last ? e->task_over_ns : last;
    }
    if (to->orphans > 0) {
        to->orphan_span_ns = last - first;
        to->orphan_oldest_ns = m->now_ns - first;
    }
}

static void put_tasks(const struct model *m, const struct proc *p, struct fd_entry *const *entries,
                      int n, struct snap *s, struct snap_fd_site *to)
{
    struct opened_by sites[SPAWN_SITES], *most = NULL;
    int nsites = 0;
    if (!p->live)
        return;
    to->task_open = 0;
    for (int i = 0; i < n; i++)
        if (entries[i]->task.id)
            count_site(sites, &nsites, entries[i]);
    for (int i = 0; i < nsites; i++)
        if (!most || sites[i].n > most->n)
            most = &sites[i];
    if (!most)
        return;
    to->task_open = most->n;
    fd_task_refer(&most->newest->task, s, &to->task);
    if (!most->one_task)
        to->task.id = NULL;
    put_orphans(m, p, entries, n, &most->newest->task, to);
}

static void put_entries(struct model *m, const struct proc *p, const struct fd_group *g,
                        struct snap *s, struct snap_fd_site *to, int *rows_left)
{
    int n = 0;
    struct fd_entry **entries = snap_alloc(s, sizeof(*entries) * (size_t)(g->site.open + 1));
    for (struct fd_life *l = g->site.lives; l && n < g->site.open; l = l->next)
        entries[n++] = fd_entry_of(l);
    qsort(entries, (size_t)n, sizeof(struct fd_entry *), oldest_first);
    for (int i = 0; i < n; i++)
        put_close_wait(m, entries[i], to);
    put_tasks(m, p, entries, n, s, to);
    if (n >= EXAMPLES_OF || to->close_wait)
        put_examples(entries, n, p->pid, s, to);
    if (n > *rows_left)
        n = *rows_left;
    to->detail = snap_alloc(s, sizeof(*to->detail) * (size_t)(n + 1));
    to->ndetail = n;
    for (int i = 0; i < n; i++)
        put_detail(m, p->pid, entries[i], s, &to->detail[i]);
    *rows_left -= n;
}

static void put_unseen(const struct fd_group *g, struct snap_fd_site *to)
{
    to->opened += g->unseen.n;
    to->closed += g->unseen.n;
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
                                .can_follow = !g->stack && !g->handles && !m->no_openers,
                                .is_handle = g->handles,
                                .verdict = "unknown",
                                .task_open = SNAP_UNKNOWN,
                                .cohorts = snap_alloc(s, sizeof(struct fd_cohort) * FD_HORIZONS)};
    fd_site_facts(&p->fds->clock, &g->site, m->now_ns, to);
    put_unseen(g, to);
    if (!g->handles)
        put_entries(m, p, g, s, to, rows_left);
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
