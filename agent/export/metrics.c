// OpenMetrics 1.0, and Prometheus' text format 0.0.4, from one description.
//
// Label sets are bounded: a process and a loop are named, never numbered; those of one name are added up
// (a monitoring system must not get a new series for each pid). Unknown figures are left out.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "formats.h"
#include "history.h"
#include "json.h"
#include "names.h"

#define LAG_BUCKETS 14 // 13 bounds and the rest
#define MAX_ROWS    1000

struct metrics {
    FILE *out;
    bool open; // OpenMetrics
    const struct snap *s;
    const struct history *h;
    const struct site_sums *fds, *tasks;
};

enum kind { COUNTER, GAUGE, HISTOGRAM, INFO };

static void family(const struct metrics *m, const char *name, enum kind kind, const char *unit,
                   const char *help)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram", "info"};
    const char *shown = kinds[kind], *suffix = "";
    if (!m->open && kind == COUNTER)
        suffix = "_total"; // there the family is named like its samples
    if (!m->open && kind == INFO) {
        shown = "gauge";
        suffix = "_info";
    }
    fprintf(m->out, "# TYPE loopscope_%s%s %s\n", name, suffix, shown);
    if (m->open && unit)
        fprintf(m->out, "# UNIT loopscope_%s %s\n", name, unit);
    fprintf(m->out, "# HELP loopscope_%s%s %s\n", name, suffix, help);
}

static void label_value(FILE *out, const char *text)
{
    char shown[160];
    for (const char *at = clean(text, 100, shown, sizeof(shown)); *at; at++) {
        if (*at == '"' || *at == '\\')
            fputc('\\', out);
        fputc(*at, out);
    }
}

struct labels { // pairs; key NULL ends them
    const char *key, *value;
};

static void sample(const struct metrics *m, const char *name, const struct labels *labels,
                   double value)
{
    char number[40];
    fprintf(m->out, "loopscope_%s", name);
    for (int i = 0; labels && labels[i].key; i++) {
        fprintf(m->out, "%s%s=\"", i ? "," : "{", labels[i].key);
        label_value(m->out, labels[i].value);
        fputc('"', m->out);
    }
    fprintf(m->out, "%s %s\n", labels && labels[0].key ? "}" : "",
            format_real(value, number, sizeof(number)));
}

// Figures of all loops of one name in processes of one name.
struct loop_row {
    const char *process, *loop;
    int64_t turns, busy_ns, stalls, blocked_ns;
    uint64_t lag[LAG_BUCKETS];
    bool turns_known, busy_known, lag_known;
};

static struct loop_row *loop_row(struct loop_row *rows, int *n, const char *process,
                                 const char *loop)
{
    for (int i = 0; i < *n; i++)
        if (!strcmp(rows[i].process, process) && !strcmp(rows[i].loop, loop))
            return &rows[i];
    if (*n == MAX_ROWS)
        return NULL;
    rows[*n] = (struct loop_row){.process = process, .loop = loop};
    return &rows[(*n)++];
}

static int64_t stalls_of(const struct metrics *m, const struct snap_loop *l)
{
    for (int i = 0; m->h && i < m->h->nloops; i++)
        if (m->h->loops[i].tid == l->tid && m->h->loops[i].pid == l->pid)
            return m->h->loops[i].stalls;
    int64_t n = 0;
    for (int i = 0; !m->h && i < m->s->nstalls; i++)
        n += m->s->stalls[i].tid == l->tid;
    return n;
}

static void add_loop(const struct metrics *m, struct loop_row *row, const struct snap_loop *l)
{
    uint64_t turns = 0;
    for (int i = 0; i < 16; i++)
        turns += l->lag_hist[i];
    if (l->turns != SNAP_UNKNOWN) {
        row->turns += l->turns;
        row->turns_known = true;
    }
    if (l->busy_ns > 0) {
        row->busy_ns += l->busy_ns;
        row->busy_known = true;
    }
    row->lag_known |= turns > 0;
    for (int i = 0; i < 16; i++)
        row->lag[i < LAG_BUCKETS ? i : LAG_BUCKETS - 1] += l->lag_hist[i];
    row->stalls += stalls_of(m, l);
    if (l->blocked_ns != SNAP_UNKNOWN && l->blocked_ns > row->blocked_ns)
        row->blocked_ns = l->blocked_ns;
}

// A counter does not fall when one of several loops of a name ends.
static void add_ended(const struct metrics *m, struct loop_row *row)
{
    const struct loop_sum *sum = m->h ? loop_sums_ended(m->h->sums, row->process, row->loop) : NULL;
    if (!sum)
        return;
    row->turns += sum->turns;
    row->busy_ns += sum->busy_ns;
    row->stalls += sum->stalls;
    for (int i = 0; i < 16; i++)
        row->lag[i < LAG_BUCKETS ? i : LAG_BUCKETS - 1] += sum->lag[i];
}

static int loop_rows(const struct metrics *m, struct loop_row *rows)
{
    int n = 0;
    for (int i = 0; i < m->s->nloops; i++) {
        const struct snap_loop *l = &m->s->loops[i];
        struct loop_row *row =
            l->state == LOOP_NO_PROBES
                ? NULL
                : loop_row(rows, &n, process_name(m->s, l->pid), l->name ? l->name : "loop");
        if (row)
            add_loop(m, row, l);
    }
    for (int i = 0; i < n; i++)
        add_ended(m, &rows[i]);
    return n;
}

static void put_lag(const struct metrics *m, const struct loop_row *row)
{
    uint64_t total = 0;
    for (int i = 0; i < LAG_BUCKETS; i++) {
        char le[40];
        total += row->lag[i];
        snprintf(le, sizeof(le), "+Inf");
        if (i < LAG_BUCKETS - 1) {
            format_real((double)snap_lag_bounds_ns[i] / 1e9, le, sizeof(le));
            if (!strpbrk(le, ".e")) // OpenMetrics wants bounds as floats
                strcat(le, ".0");
        }
        sample(m, "loop_lag_seconds_bucket",
               (struct labels[]){
                   {"process", row->process}, {"loop", row->loop}, {"le", le}, {NULL, NULL}},
               (double)total);
    }
    struct labels labels[] = {{"process", row->process}, {"loop", row->loop}, {NULL, NULL}};
    if (row->busy_known)
        sample(m, "loop_lag_seconds_sum", labels, (double)row->busy_ns / 1e9);
    if (row->busy_known || !m->open)
        sample(m, "loop_lag_seconds_count", labels, (double)total);
}

static void put_loops(const struct metrics *m)
{
    struct loop_row *rows = calloc(MAX_ROWS, sizeof(*rows));
    if (!rows)
        abort();
    int n = loop_rows(m, rows);
#define EACH_LOOP(condition, name, value)                                                          \
    for (int i = 0; i < n; i++)                                                                    \
        if (condition)                                                                             \
    sample(m, name,                                                                                \
           (struct labels[]){{"process", rows[i].process}, {"loop", rows[i].loop}, {NULL, NULL}},  \
           (double)(value))
    family(m, "loop_iterations", COUNTER, NULL, "Turns of the event loop since the attach.");
    EACH_LOOP(rows[i].turns_known, "loop_iterations_total", rows[i].turns);
    family(m, "loop_busy_seconds", COUNTER, "seconds", "Time spent away from the poll.");
    EACH_LOOP(rows[i].busy_known, "loop_busy_seconds_total", rows[i].busy_ns / 1e9);
    family(m, "loop_stalls", COUNTER, NULL, "Turns longer than the stall threshold.");
    EACH_LOOP(true, "loop_stalls_total", rows[i].stalls);
    family(m, "loop_blocked_seconds", GAUGE, "seconds", "Age of the present stall, 0 without one.");
    EACH_LOOP(true, "loop_blocked_seconds", rows[i].blocked_ns / 1e9);
    family(m, "loop_lag_seconds", HISTOGRAM, "seconds", "Lengths of turns.");
    for (int i = 0; i < n; i++)
        if (rows[i].lag_known)
            put_lag(m, &rows[i]);
#undef EACH_LOOP
    free(rows);
}

// Of a name that is still watched: a monitoring system drops what is no longer told.
static bool is_watched(const struct snap *s, const char *process)
{
    for (int i = 0; i < s->nprocesses; i++)
        if (!strcmp(process_name(s, s->processes[i].pid), process))
            return true;
    return false;
}

static void counters(const struct metrics *m, const struct site_sums *sums, const char *name,
                     bool closed)
{
    int n;
    const struct site_sum *list = site_sums_list(sums, &n);
    for (int i = 0; i < n; i++) {
        const char *type = list[i].type[0] ? "type" : NULL;
        if (list[i].counted && is_watched(m->s, list[i].process))
            sample(
                m, name,
                (struct labels[]){{"process", list[i].process}, {type, list[i].type}, {NULL, NULL}},
                (double)(closed ? list[i].closed : list[i].opened));
    }
}

static int64_t orphans_of(const struct snap *s, const char *process)
{
    int64_t n = 0;
    for (int i = 0; i < s->ntask_sites; i++)
        if (s->task_sites[i].orphaned > 0 &&
            !strcmp(process_name(s, s->task_sites[i].pid), process))
            n += s->task_sites[i].orphaned;
    return n;
}

static void put_tasks(const struct metrics *m)
{
    int n;
    const struct site_sum *list = site_sums_list(m->tasks, &n);
    family(m, "tasks", GAUGE, NULL, "Tasks by state.");
    for (int i = TASK_NEW; i <= TASK_CANCELLED; i++)
        if (m->s->tasks_by_state[i] != SNAP_UNKNOWN)
            sample(m, "tasks",
                   (struct labels[]){{"state", task_state_name((enum task_state)i)}, {NULL, NULL}},
                   (double)m->s->tasks_by_state[i]);
    family(m, "tasks_spawned", COUNTER, NULL, "Tasks spawned at known sites.");
    counters(m, m->tasks, "tasks_spawned_total", false);
    family(m, "tasks_orphaned", GAUGE, NULL, "Tasks that nobody can await.");
    for (int i = 0; i < n; i++)
        if (is_watched(m->s, list[i].process))
            sample(m, "tasks_orphaned",
                   (struct labels[]){{"process", list[i].process}, {NULL, NULL}},
                   (double)orphans_of(m->s, list[i].process));
}

static int64_t open_of(const struct snap *s, const struct site_sum *sum)
{
    int64_t n = 0;
    for (int i = 0; i < s->nfds; i++) {
        const struct snap_fd_site *f = &s->fds[i];
        if (!f->is_handle && f->open > 0 && !strcmp(f->kind ? f->kind : "other", sum->type) &&
            !strcmp(process_name(s, f->pid), sum->process))
            n += f->open;
    }
    return n;
}

static void put_fds(const struct metrics *m)
{
    int n;
    const struct site_sum *list = site_sums_list(m->fds, &n);
    family(m, "fds", GAUGE, NULL, "Open descriptors by type.");
    for (int i = 0; i < n; i++)
        if (is_watched(m->s, list[i].process))
            sample(m, "fds",
                   (struct labels[]){
                       {"process", list[i].process}, {"type", list[i].type}, {NULL, NULL}},
                   (double)open_of(m->s, &list[i]));
    family(m, "fds_opened", COUNTER, NULL, "Descriptors seen to be opened since the attach.");
    counters(m, m->fds, "fds_opened_total", false);
    family(m, "fds_closed", COUNTER, NULL, "Of these, those closed.");
    counters(m, m->fds, "fds_closed_total", true);
}

static bool named_before(const struct snap *s, int i)
{
    for (int k = 0; k < i; k++)
        if (!strcmp(process_name(s, s->processes[k].pid), process_name(s, s->processes[i].pid)))
            return true;
    return false;
}

// Unknown counts come last.
static double fullness(const struct snap_process *p)
{
    return p->fd_count < 0 ? -1 : (double)p->fd_count / (double)p->fd_limit;
}

// Of several processes of one name, the one that is nearest to its limit speaks; NULL: no limit is known.
static const struct snap_process *fullest(const struct snap *s, const char *name)
{
    const struct snap_process *most = NULL;
    for (int i = 0; i < s->nprocesses; i++) {
        const struct snap_process *p = &s->processes[i];
        if (p->fd_limit <= 0 || strcmp(process_name(s, p->pid), name) != 0)
            continue;
        if (!most || fullness(p) > fullness(most) ||
            (fullness(p) == fullness(most) && p->fd_limit < most->fd_limit))
            most = p;
    }
    return most;
}

static void put_limits(const struct metrics *m)
{
    const struct snap *s = m->s;
    family(m, "fd_limit", GAUGE, NULL,
           "RLIMIT_NOFILE of the process of that name that is nearest to it.");
    for (int i = 0; i < s->nprocesses; i++) {
        const char *name = process_name(s, s->processes[i].pid);
        const struct snap_process *p = named_before(s, i) ? NULL : fullest(s, name);
        if (p)
            sample(m, "fd_limit", (struct labels[]){{"process", name}, {NULL, NULL}},
                   (double)p->fd_limit);
    }
    family(m, "fd_limit_used_ratio", GAUGE, "ratio", "Share of it that is open in that process.");
    for (int i = 0; i < s->nprocesses; i++) {
        const char *name = process_name(s, s->processes[i].pid);
        const struct snap_process *p = named_before(s, i) ? NULL : fullest(s, name);
        if (p && p->fd_count >= 0)
            sample(m, "fd_limit_used_ratio", (struct labels[]){{"process", name}, {NULL, NULL}},
                   fullness(p));
    }
}

static int count_findings(const struct snap *s, const struct finding *like, int *ret_first)
{
    int n = 0;
    *ret_first = -1;
    for (int i = 0; i < s->nfindings; i++)
        if (!strcmp(s->findings[i].rule, like->rule) && s->findings[i].severity == like->severity) {
            n += s->findings[i].open;
            *ret_first = *ret_first < 0 ? i : *ret_first;
        }
    return n;
}

static void put_findings(const struct metrics *m)
{
    family(m, "findings", GAUGE, NULL, "Open findings by rule and severity.");
    for (int i = 0; i < m->s->nfindings; i++) {
        const struct finding *f = &m->s->findings[i];
        int first, n = count_findings(m->s, f, &first);
        if (first == i)
            sample(m, "findings",
                   (struct labels[]){
                       {"rule", f->rule}, {"severity", severity_name(f->severity)}, {NULL, NULL}},
                   n);
    }
}

static void put_agent(const struct metrics *m)
{
    const struct snap_agent *a = &m->s->agent;
    family(m, "records_lost", COUNTER, NULL, "Records the kernel side could not deliver.");
    if (a->lost_records != SNAP_UNKNOWN)
        sample(m, "records_lost_total", NULL, (double)a->lost_records);
    family(m, "agent_cpu_seconds", COUNTER, "seconds", "CPU time of loopscope itself.");
    if (a->cpu_ns != SNAP_UNKNOWN)
        sample(m, "agent_cpu_seconds_total", NULL, (double)a->cpu_ns / 1e9);
    family(m, "agent", INFO, NULL, "The agent and how it watches.");
    sample(m, "agent_info",
           (struct labels[]){{"version", a->version ? a->version : "unknown"},
                             {"backend", a->backend ? a->backend : "none"},
                             {"turns", a->turns_estimated ? "estimated" : "exact"},
                             {NULL, NULL}},
           1);
}

static int put_all(const struct metrics *m)
{
    put_loops(m);
    put_tasks(m);
    put_fds(m);
    put_limits(m);
    put_findings(m);
    put_agent(m);
    if (m->open)
        fputs("# EOF\n", m->out);
    return ferror(m->out) ? -EIO : 0;
}

static int put(struct metrics *m)
{
    struct site_sums *fds = NULL, *tasks = NULL;
    if (m->h) {
        m->fds = m->h->fds;
        m->tasks = m->h->tasks;
    } else {
        m->fds = fds = site_sums_new();
        m->tasks = tasks = site_sums_new();
        site_sums_add_fds(fds, m->s);
        site_sums_add_tasks(tasks, m->s);
    }
    int r = put_all(m);
    site_sums_free(fds);
    site_sums_free(tasks);
    return r;
}

int export_openmetrics(const struct snap *s, const struct export_opts *o, FILE *out)
{
    return put(&(struct metrics){.out = out, .open = true, .s = s, .h = o->history});
}

int export_prometheus(const struct snap *s, const struct export_opts *o, FILE *out)
{
    return put(&(struct metrics){.out = out, .open = false, .s = s, .h = o->history});
}
