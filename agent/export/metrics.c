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

struct task_row {
    const char *process;
    int64_t spawned, orphaned;
};

static int task_rows(const struct metrics *m, struct task_row *rows)
{
    int n = 0;
    for (int i = 0; i < m->s->ntask_sites; i++) {
        const struct snap_task_site *t = &m->s->task_sites[i];
        const char *process = process_name(m->s, t->pid);
        int k = 0;
        while (k < n && strcmp(rows[k].process, process) != 0)
            k++;
        if (k == MAX_ROWS)
            continue;
        if (k == n)
            rows[n++] = (struct task_row){.process = process};
        rows[k].spawned += t->spawned > 0 ? t->spawned : 0;
        rows[k].orphaned += t->orphaned > 0 ? t->orphaned : 0;
    }
    return n;
}

static void put_tasks(const struct metrics *m)
{
    struct task_row *rows = calloc(MAX_ROWS, sizeof(*rows));
    if (!rows)
        abort();
    int n = task_rows(m, rows);
    family(m, "tasks", GAUGE, NULL, "Tasks by state.");
    for (int i = TASK_NEW; i <= TASK_CANCELLED; i++)
        if (m->s->tasks_by_state[i] != SNAP_UNKNOWN)
            sample(m, "tasks",
                   (struct labels[]){{"state", task_state_name((enum task_state)i)}, {NULL, NULL}},
                   (double)m->s->tasks_by_state[i]);
#define EACH_PROCESS(name, value)                                                                  \
    for (int i = 0; i < n; i++)                                                                    \
    sample(m, name, (struct labels[]){{"process", rows[i].process}, {NULL, NULL}}, (double)(value))
    family(m, "tasks_spawned", COUNTER, NULL, "Tasks spawned at known sites.");
    EACH_PROCESS("tasks_spawned_total", rows[i].spawned);
    family(m, "tasks_orphaned", GAUGE, NULL, "Tasks that nobody can await.");
    EACH_PROCESS("tasks_orphaned", rows[i].orphaned);
#undef EACH_PROCESS
    free(rows);
}

struct fd_row {
    const char *process, *type;
    int64_t open, opened, closed;
    bool counted;
};

static int fd_rows(const struct metrics *m, struct fd_row *rows)
{
    int n = 0;
    for (int i = 0; i < m->s->nfds; i++) {
        const struct snap_fd_site *f = &m->s->fds[i];
        const char *process = process_name(m->s, f->pid), *type = f->kind ? f->kind : "other";
        int k = 0;
        while (k < n && (strcmp(rows[k].process, process) || strcmp(rows[k].type, type)))
            k++;
        if (k == MAX_ROWS)
            continue;
        if (k == n)
            rows[n++] = (struct fd_row){.process = process, .type = type};
        rows[k].open += f->open > 0 ? f->open : 0;
        if (f->opened == SNAP_UNKNOWN)
            continue;
        rows[k].counted = true;
        rows[k].opened += f->opened;
        rows[k].closed += f->closed > 0 ? f->closed : 0;
    }
    return n;
}

static void put_fds(const struct metrics *m)
{
    struct fd_row *rows = calloc(MAX_ROWS, sizeof(*rows));
    if (!rows)
        abort();
    int n = fd_rows(m, rows);
#define EACH_FD(condition, name, value)                                                            \
    for (int i = 0; i < n; i++)                                                                    \
        if (condition)                                                                             \
    sample(m, name,                                                                                \
           (struct labels[]){{"process", rows[i].process}, {"type", rows[i].type}, {NULL, NULL}},  \
           (double)(value))
    family(m, "fds", GAUGE, NULL, "Open descriptors by type.");
    EACH_FD(true, "fds", rows[i].open);
    family(m, "fds_opened", COUNTER, NULL, "Descriptors opened while their openers were watched.");
    EACH_FD(rows[i].counted, "fds_opened_total", rows[i].opened);
    family(m, "fds_closed", COUNTER, NULL, "Of these, those closed.");
    EACH_FD(rows[i].counted, "fds_closed_total", rows[i].closed);
#undef EACH_FD
    free(rows);
}

static bool named_before(const struct snap *s, int i)
{
    for (int k = 0; k < i; k++)
        if (!strcmp(process_name(s, s->processes[k].pid), process_name(s, s->processes[i].pid)))
            return true;
    return false;
}

// Of several processes of one name, the one that is nearest to its limit speaks.
static int64_t lowest_limit(const struct snap *s, const char *name)
{
    int64_t lowest = SNAP_UNKNOWN;
    for (int i = 0; i < s->nprocesses; i++) {
        int64_t limit = s->processes[i].fd_limit;
        bool same = !strcmp(process_name(s, s->processes[i].pid), name);
        if (same && limit != SNAP_UNKNOWN && (lowest == SNAP_UNKNOWN || limit < lowest))
            lowest = limit;
    }
    return lowest;
}

static void put_limits(const struct metrics *m)
{
    family(m, "fd_limit", GAUGE, NULL, "Limit of open descriptors (RLIMIT_NOFILE).");
    for (int i = 0; i < m->s->nprocesses; i++) {
        const char *name = process_name(m->s, m->s->processes[i].pid);
        int64_t limit = lowest_limit(m->s, name);
        if (limit != SNAP_UNKNOWN && !named_before(m->s, i))
            sample(m, "fd_limit", (struct labels[]){{"process", name}, {NULL, NULL}},
                   (double)limit);
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

int export_openmetrics(const struct snap *s, const struct export_opts *o, FILE *out)
{
    struct metrics m = {.out = out, .open = true, .s = s, .h = o->history};
    return put_all(&m);
}

int export_prometheus(const struct snap *s, const struct export_opts *o, FILE *out)
{
    struct metrics m = {.out = out, .open = false, .s = s, .h = o->history};
    return put_all(&m);
}
