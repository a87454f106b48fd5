// The figures as text: JSON, and OpenMetrics 1.0 with the names that the agent uses for the same things.
#include "io.h"
#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define OBJECT 2048 // bytes of one JSON object at most

static const double turn_limits[] = LS__TURN_LIMITS; // seconds
static const double task_limits[] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300};

#define count_of(array) (sizeof(array) / sizeof(*(array)))

// ---- JSON ----

static void json_loop(FILE *f, const struct ls_loop *l, const struct ls_metrics *m)
{
    char text[OBJECT];
    struct json j = {.text = text, .size = sizeof(text)};
    ls__json_string(&j, "schema", "loopscope-runtime/1");
    ls__json_string(&j, "loop", l->name);
    ls__json_uint(&j, "created", m->created);
    ls__json_uint(&j, "started", m->started);
    ls__json_uint(&j, "completed", m->completed);
    ls__json_uint(&j, "failed", m->failed);
    ls__json_uint(&j, "cancelled", m->cancelled);
    ls__json_uint(&j, "live", m->live);
    ls__json_uint(&j, "ready", m->ready);
    ls__json_uint(&j, "detached", m->detached);
    ls__json_uint(&j, "orphaned", m->orphaned);
    ls__json_uint(&j, "never_awaited", m->never_awaited);
    ls__json_uint(&j, "errors_unread", m->errors_unread);
    ls__json_uint(&j, "left_children", m->left_children);
    ls__json_uint(&j, "misuse", m->misuse);
    ls__json_uint(&j, "spawn_failed", m->spawn_failed);
    ls__json_uint(&j, "turns", m->turns);
    ls__json_uint(&j, "switches", m->switches);
    ls__json_uint(&j, "timers", m->timers);
    ls__json_uint(&j, "stacks", m->stacks);
    ls__json_uint(&j, "stacks_cached", m->stacks_cached);
    ls__json_int(&j, "turn_max_ns", m->turn_max_ns);
    ls__json_int(&j, "busy_ns", m->busy_ns);
    fprintf(f, "{%.*s,\"sites\":[", (int)j.length, text);
}

static void json_duration(struct json *j, const char *key, int64_t ns)
{
    ls__json_double(j, key, ns < 0 ? NAN : (double)ns);
}

static void json_site(FILE *f, const struct ls_site_metrics *m, bool first)
{
    char text[OBJECT];
    struct json j = {.text = text, .size = sizeof(text)};
    ls__json_string(&j, "task", m->site ? m->site->label : NULL);
    ls__json_string(&j, "file", m->site ? m->site->file : NULL);
    ls__json_uint(&j, "line", m->site ? m->site->line : 0);
    ls__json_string(&j, "function", m->site ? m->site->function : NULL);
    ls__json_uint(&j, "created", m->created);
    ls__json_uint(&j, "completed", m->completed);
    ls__json_uint(&j, "failed", m->failed);
    ls__json_uint(&j, "cancelled", m->cancelled);
    ls__json_uint(&j, "live", m->live);
    ls__json_double(&j, "success_ratio", m->success_ratio);
    json_duration(&j, "mean_ns", m->mean_ns);
    json_duration(&j, "p99_ns", m->p99_ns);
    json_duration(&j, "max_ns", m->max_ns);
    fprintf(f, "%s{%.*s}", first ? "" : ",", (int)j.length, text);
}

static void render_json(FILE *f, const struct ls_loop *l, const struct ls_metrics *m,
                        const struct ls_site_metrics *sites, size_t n)
{
    json_loop(f, l, m);
    for (size_t i = 0; i < n; i++)
        json_site(f, &sites[i], i == 0);
    fputs("]}\n", f);
}

// ---- OpenMetrics ----

static void family(FILE *f, const char *name, const char *type, const char *unit, const char *help)
{
    fprintf(f, "# TYPE %s %s\n", name, type);
    if (unit)
        fprintf(f, "# UNIT %s %s\n", name, unit);
    fprintf(f, "# HELP %s %s\n", name, help);
}

static void put_label(FILE *f, const char *value)
{
    for (const char *c = value; *c; c++) {
        if (*c == '\\' || *c == '"')
            fputc('\\', f);
        if (*c == '\n')
            fputs("\\n", f);
        else
            fputc(*c, f);
    }
}

// A limit of a histogram, in the form that OpenMetrics wants: 1.0, 0.5, +Inf.
static void put_limit(FILE *f, const double *limits, size_t i, size_t n)
{
    if (i >= n)
        fputs(",le=\"+Inf\"} ", f);
    else
        fprintf(f, limits[i] < 1 ? ",le=\"%g\"} " : ",le=\"%.1f\"} ", limits[i]);
}

static void loop_labels(FILE *f, const struct ls_loop *l)
{
    fputs("loop=\"", f);
    put_label(f, l->name);
    fputc('"', f);
}

static void counter(FILE *f, const struct ls_loop *l, const char *name, uint64_t value,
                    const char *help)
{
    family(f, name, "counter", NULL, help);
    fprintf(f, "%s_total{", name);
    loop_labels(f, l);
    fprintf(f, "} %llu\n", (unsigned long long)value);
}

static void gauge(FILE *f, const struct ls_loop *l, const char *name, uint64_t value,
                  const char *help)
{
    family(f, name, "gauge", NULL, help);
    fprintf(f, "%s{", name);
    loop_labels(f, l);
    fprintf(f, "} %llu\n", (unsigned long long)value);
}

static void task_states(FILE *f, const struct ls_loop *l, const struct ls_metrics *m)
{
    family(f, "loopscope_tasks", "gauge", NULL, "Tasks that have not ended.");
    uint64_t running = l->current != NULL, busy = m->ready + running;
    const struct {
        const char *state;
        uint64_t n;
    } states[] = {{"ready", m->ready},
                  {"running", running},
                  {"waiting", m->live > busy ? m->live - busy : 0}};
    for (size_t i = 0; i < count_of(states); i++) {
        fputs("loopscope_tasks{", f);
        loop_labels(f, l);
        fprintf(f, ",state=\"%s\"} %llu\n", states[i].state, (unsigned long long)states[i].n);
    }
}

static void busy_time(FILE *f, const struct ls_loop *l, const struct ls_metrics *m)
{
    family(f, "loopscope_loop_busy_seconds", "counter", "seconds", "Time outside the loop's wait.");
    fputs("loopscope_loop_busy_seconds_total{", f);
    loop_labels(f, l);
    fprintf(f, "} %.9f\n", (double)m->busy_ns / 1e9);
}

static void turn_histogram(FILE *f, const struct ls_loop *l)
{
    static const char name[] = "loopscope_loop_turn_seconds";
    uint64_t n = 0;
    family(f, name, "histogram", "seconds", "Length of the loop's turns, from wait to wait.");
    for (size_t i = 0; i <= count_of(turn_limits); i++) {
        n += l->turn_counts[i];
        fprintf(f, "%s_bucket{", name);
        loop_labels(f, l);
        put_limit(f, turn_limits, i, count_of(turn_limits));
        fprintf(f, "%llu\n", (unsigned long long)n);
    }
    fprintf(f, "%s_count{", name);
    loop_labels(f, l);
    fprintf(f, "} %llu\n%s_sum{", (unsigned long long)n, name);
    loop_labels(f, l);
    fprintf(f, "} %.9f\n", (double)l->busy_ns / 1e9);
}

static void site_labels(FILE *f, const struct ls_loop *l, const struct ls_site *site)
{
    loop_labels(f, l);
    fputs(",task=\"", f);
    put_label(f, site && site->label ? site->label : "");
    fputs("\",site=\"", f);
    put_label(f, site ? site->file : "");
    fprintf(f, ":%u\"", site ? site->line : 0);
}

// Durations below a limit. A bucket that lies across it counts for the next: right to 13 %.
static uint64_t below(const struct site_stats *s, uint64_t ended, double limit)
{
    uint64_t above_zero = 0, n = 0;
    for (unsigned b = 0; s->buckets && b < SITE_BUCKETS; b++) {
        above_zero += s->buckets[b];
        if ((double)ls__bucket_limit(b) <= limit * 1e9)
            n += s->buckets[b];
    }
    return n + (ended > above_zero ? ended - above_zero : 0); // those of no length are in no bucket
}

static void site_histogram(FILE *f, const struct ls_loop *l, const struct site_stats *s,
                           const struct ls_site *site)
{
    static const char name[] = "loopscope_task_duration_seconds";
    uint64_t ended = s->completed + s->failed + s->cancelled;
    for (size_t i = 0; i <= count_of(task_limits); i++) {
        bool last = i == count_of(task_limits);
        fprintf(f, "%s_bucket{", name);
        site_labels(f, l, site);
        put_limit(f, task_limits, i, count_of(task_limits));
        fprintf(f, "%llu\n", (unsigned long long)(last ? ended : below(s, ended, task_limits[i])));
    }
    fprintf(f, "%s_count{", name);
    site_labels(f, l, site);
    fprintf(f, "} %llu\n%s_sum{", (unsigned long long)ended, name);
    site_labels(f, l, site);
    fprintf(f, "} %.9f\n", (double)s->sum_ns / 1e9);
}

static void durations(FILE *f, const struct ls_loop *l)
{
    family(f, "loopscope_task_duration_seconds", "histogram", "seconds",
           "From created to ended, by spawn site.");
    for (uint32_t id = 0; id < ls__table.sites_used; id++)
        if (l->stats[id].created > 0)
            site_histogram(f, l, &l->stats[id], ls__site(id));
}

static void outcomes(FILE *f, const struct ls_loop *l, const struct ls_site_metrics *sites,
                     size_t n)
{
    static const char name[] = "loopscope_tasks_ended";
    family(f, name, "counter", NULL, "How tasks ended, by spawn site.");
    for (size_t i = 0; i < n; i++) {
        const struct {
            const char *how;
            uint64_t n;
        } ends[] = {{"completed", sites[i].completed},
                    {"failed", sites[i].failed},
                    {"cancelled", sites[i].cancelled}};
        for (size_t k = 0; k < count_of(ends); k++) {
            fprintf(f, "%s_total{", name);
            site_labels(f, l, sites[i].site);
            fprintf(f, ",how=\"%s\"} %llu\n", ends[k].how, (unsigned long long)ends[k].n);
        }
    }
}

static void render_openmetrics(FILE *f, const struct ls_loop *l, const struct ls_metrics *m,
                               const struct ls_site_metrics *sites, size_t n)
{
    counter(f, l, "loopscope_loop_iterations", m->turns, "Turns of the loop.");
    busy_time(f, l, m);
    turn_histogram(f, l);
    task_states(f, l, m);
    counter(f, l, "loopscope_tasks_spawned", m->created, "Tasks created.");
    counter(f, l, "loopscope_tasks_detached", m->detached, "Tasks detached.");
    counter(f, l, "loopscope_tasks_orphaned", m->orphaned, "Tasks whose parent ended first.");
    counter(f, l, "loopscope_tasks_never_awaited", m->never_awaited,
            "Tasks whose result nobody took.");
    counter(f, l, "loopscope_errors_unread", m->errors_unread, "Errors of tasks that nobody read.");
    counter(f, l, "loopscope_misuse", m->misuse, "Wrong calls of the runtime.");
    counter(f, l, "loopscope_spawns_failed", m->spawn_failed, "Spawns for want of memory.");
    counter(f, l, "loopscope_task_switches", m->switches, "Steps of tasks.");
    gauge(f, l, "loopscope_stacks", m->stacks, "Stacks of tasks, in use and kept.");
    outcomes(f, l, sites, n);
    durations(f, l);
    fputs("# EOF\n", f);
}

ssize_t ls_metrics_render(enum ls_metrics_format format, char **ret)
{
    struct ls_metrics m;
    size_t size = 0;
    *ret = NULL;
    int n = ls_metrics_sites(NULL, 0), r = n < 0 ? n : ls_metrics_get(&m);
    if (r < 0)
        return r;
    struct ls_site_metrics *sites = calloc((size_t)n + 1, sizeof(*sites));
    FILE *f = sites ? open_memstream(ret, &size) : NULL;
    if (!f) {
        free(sites);
        return -ENOMEM;
    }
    ls_metrics_sites(sites, (size_t)n);
    if (format == LS_METRICS_JSON)
        render_json(f, ls__loop, &m, sites, (size_t)n);
    else
        render_openmetrics(f, ls__loop, &m, sites, (size_t)n);
    free(sites);
    bool failed = ferror(f);
    if (fclose(f) != 0 || failed) {
        free(*ret);
        *ret = NULL;
        return -ENOMEM;
    }
    return (ssize_t)size;
}
