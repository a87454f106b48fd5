// The report as text: header, findings, tables, what could not be judged.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"
#include "json.h"
#include "names.h"
#include "text.h"

void text_header(const struct text *t, const struct snap *s)
{
    char *line = NULL, when[48], watched[500];
    size_t size;
    FILE *f = open_memstream(&line, &size);
    if (!f)
        abort();
    format_time(s->started_unix_ns, when);
    fprintf(f, "loopscope %s: %s, %s from %.19sZ", s->agent.version ? s->agent.version : "",
            watched_name(s, watched, sizeof(watched)), human_ns(s->now_ns).text, when);
    if (s->host.hostname)
        fprintf(f, " on %s", s->host.hostname);
    if (s->host.kernel)
        fprintf(f, " (Linux %s, %d CPUs)", s->host.kernel, s->host.cpus);
    if (s->agent.backend)
        fprintf(f, "; backend %s, turns %s", s->agent.backend,
                s->agent.turns_estimated ? "estimated" : "exact");
    if (s->time_scale != 1)
        fprintf(f, "; time_scale %g", s->time_scale);
    if (isfinite(s->agent.cpu_ratio))
        fprintf(f, "; own cost %.1f %% of a core, %s", s->agent.cpu_ratio * 100,
                human_bytes(s->agent.rss_bytes).text);
    if (s->agent.lost_records > 0)
        fprintf(f, "; %s records lost", human_count(s->agent.lost_records).text);
    if (s->target_exit != SNAP_UNKNOWN)
        fprintf(f, "; the command ended with status %d", (int)s->target_exit);
    fclose(f);
    ink(t, INK_DIM);
    text_wrap(t, "", line);
    ink(t, INK_NONE);
    free(line);
}

static const char *plural(int n)
{
    return n == 1 ? "" : "s";
}

static void summary(const struct text *t, const struct snap *s)
{
    int by_severity[3] = {0}, open = 0;
    for (int i = 0; i < s->nfindings; i++) {
        by_severity[s->findings[i].severity % 3]++;
        open += s->findings[i].open;
    }
    if (s->nfindings == 0) {
        ink(t, INK_GOOD);
        fputs("no findings\n", t->out);
        ink(t, INK_NONE);
        return;
    }
    ink(t, INK_BOLD);
    fprintf(t->out, "%d finding%s: %d critical, %d warning%s, %d info; %d still open\n",
            s->nfindings, plural(s->nfindings), by_severity[SEV_CRITICAL], by_severity[SEV_WARNING],
            plural(by_severity[SEV_WARNING]), by_severity[SEV_INFO], open);
    ink(t, INK_NONE);
}

static bool same_reason(const struct snap *s, int i, int k)
{
    const char *a = s->not_judged[i].why, *b = s->not_judged[k].why;
    return a && b && strcmp(a, b) == 0;
}

// All rules of one reason, the first's place; false: an earlier one has named it already.
static bool rules_of_reason(const struct snap *s, int at, char *buf, size_t size)
{
    size_t n = 0;
    for (int i = 0; i < at; i++)
        if (same_reason(s, i, at))
            return false;
    for (int i = at; i < s->nnot_judged && n < size; i++)
        if (i == at || same_reason(s, at, i))
            n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? ", " : "", s->not_judged[i].rule);
    return true;
}

static void not_judged(const struct text *t, const struct snap *s)
{
    char rules[1000], line[1400];
    if (s->nnot_judged == 0)
        return;
    fputs("\ntoo early to tell, or not to be seen here:\n", t->out);
    for (int i = 0; i < s->nnot_judged; i++) {
        if (!rules_of_reason(s, i, rules, sizeof(rules)))
            continue;
        snprintf(line, sizeof(line), "%s: %s", rules,
                 s->not_judged[i].why ? s->not_judged[i].why : "?");
        text_wrap(t, "  - ", line);
    }
}

static void weight_head(const struct text *t, const struct snap *s, const struct stack_weight *w)
{
    const char *name = NULL;
    for (int i = 0; i < s->nprocesses; i++)
        if (s->processes[i].pid == w->pid)
            name = s->processes[i].name;
    ink(t, INK_BOLD);
    if (w->stalls == 0)
        fprintf(t->out, "%s in short calls, no stall  ", human_ns(w->ns).text);
    else
        fprintf(t->out, "%s blocked in %lld stall%s  ", human_ns(w->ns).text, (long long)w->stalls,
                w->stalls == 1 ? "" : "s");
    ink(t, INK_NONE);
    clean_print(t->out, name, t->o->ascii);
    fprintf(t->out, " (%d), thread %d", w->pid, w->tid);
    fprintf(t->out, ", %s", cause_kind_name(w->cause->kind));
    if (w->cause->syscall)
        fprintf(t->out, " %s()", w->cause->syscall);
    if (w->cause->path || w->cause->peer) {
        fputs(" on ", t->out);
        clean_print(t->out, w->cause->path ? w->cause->path : w->cause->peer, t->o->ascii);
    }
    fputc('\n', t->out);
}

void text_stacks(const struct text *t, const struct snap *s)
{
    struct weights w = weigh(s, t->o->history);
    if (w.n == 0)
        fprintf(t->out, "no turn passed %s: no stack was taken\n", human_ns(s->threshold_ns).text);
    for (int i = 0; i < w.n; i++) {
        if (i > 0)
            fputc('\n', t->out);
        weight_head(t, s, &w.list[i]);
        if (w.list[i].stack)
            text_stack(t, w.list[i].stack, "  ");
        else
            fputs("    (no stack could be read)\n", t->out);
    }
    weights_finish(&w);
}

static void section(const struct text *t, const char *title)
{
    ink(t, INK_BOLD);
    fprintf(t->out, "\n%s\n", title);
    ink(t, INK_NONE);
}

static void whole(const struct text *t, const struct snap *s)
{
    text_header(t, s);
    summary(t, s);
    if (s->nfindings > 0)
        fputc('\n', t->out);
    text_findings(t, s);
    if (s->nprocesses > 0) {
        section(t, "processes");
        text_processes(t, s);
    }
    if (s->nloops > 0) {
        section(t, "loops");
        text_loops(t, s);
    }
    if (s->ntask_sites > 0) {
        section(t, "tasks by spawn site");
        struct export_opts by_site = *t->o;
        by_site.by_site = true;
        struct text sites = {t->out, &by_site, t->width, t->table_width};
        text_tasks(&sites, s);
    }
    if (s->nfds > 0) {
        section(t, "descriptors");
        text_fds(t, s);
    }
    not_judged(t, s);
}

static void worst_turn(const struct text *t, const struct snap *s)
{
    int64_t judged = 0, worst = SNAP_UNKNOWN;
    int n = 0;
    for (int i = 0; i < s->nloops; i++) {
        if (!s->loops[i].judged)
            continue;
        n++;
        judged = s->loops[i].judged_ns > judged ? s->loops[i].judged_ns : judged;
        worst = s->loops[i].lag_max_ns > worst ? s->loops[i].lag_max_ns : worst;
    }
    if (n == 0)
        fputs("no event loop was judged\n", t->out);
    else if (worst == SNAP_UNKNOWN)
        fprintf(t->out, "%d loop%s judged for %s, no turn seen to its end\n", n, plural(n),
                human_ns(judged).text);
    else
        fprintf(t->out, "%d loop%s judged for %s, longest turn %s\n", n, plural(n),
                human_ns(judged).text, human_ns(worst).text);
}

static void findings_only(const struct text *t, const struct snap *s)
{
    text_header(t, s);
    summary(t, s);
    worst_turn(t, s);
    if (s->nfindings > 0)
        fputc('\n', t->out);
    text_findings(t, s);
    not_judged(t, s);
}

int export_text(const struct snap *s, const struct export_opts *o, FILE *out)
{
    struct text t = text_begin(out, o);
    switch (o->parts) {
    case PART_PROCESSES: text_processes(&t, s); break;
    case PART_LOOPS: text_loops(&t, s); break;
    case PART_TASKS: text_tasks(&t, s); break;
    case PART_FDS: text_fds(&t, s); break;
    case PART_STACKS: text_stacks(&t, s); break;
    case PART_ALL: whole(&t, s); break;
    default: findings_only(&t, s); break;
    }
    return ferror(out) ? -EIO : 0;
}
