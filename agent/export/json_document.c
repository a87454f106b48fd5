// The one JSON document of cli.md. Fields are always present: null when unknown, [] when not asked for.
#include <stdlib.h>

#include "doc.h"

static const struct {
    unsigned flag;
    const char *name;
} task_flags[] = {
    {TASKF_ORPHANED, "orphaned"},           {TASKF_STUCK, "stuck"},
    {TASKF_TIMED_OUT, "timed-out"},         {TASKF_ERROR_UNREAD, "error-unread"},
    {TASKF_CANCEL_REQUESTED, "cancelling"}, {TASKF_NEVER_STARTED, "never-started"},
    {TASKF_NEVER_AWAITED, "never-awaited"}, {TASKF_DETACHED, "detached"},
    {TASKF_SELF_WAKING, "self-waking"},     {TASKF_CYCLE, "cycle"},
    {TASKF_UNSTABLE, "unstable"},           {TASKF_UNHELD, "unheld"}, {TASKF_NO_WAKER, "no-waker"},
};

static void host(struct json *j, const struct snap *s)
{
    json_put_object(j, "host");
    json_put_text(j, "hostname", s->host.hostname);
    json_put_text(j, "kernel", s->host.kernel);
    json_put_int(j, "cpus", s->host.cpus > 0 ? s->host.cpus : SNAP_UNKNOWN);
    json_put_real(j, "steal_ratio", s->host.steal_ratio);
    json_end_object(j);
}

static void agent(struct json *j, const struct snap *s)
{
    const struct snap_agent *a = &s->agent;
    json_put_object(j, "agent");
    json_put_text(j, "version", a->version);
    json_put_text(j, "backend", a->backend);
    json_put_text(j, "turns", a->turns_estimated ? "estimated" : "exact");
    json_put_text(j, "turn_source", a->turn_source);
    json_put_real(j, "cpu_ratio", a->cpu_ratio);
    json_put_int(j, "cpu_ns", a->cpu_ns);
    json_put_int(j, "rss_bytes", a->rss_bytes);
    json_put_int(j, "lost_records", a->lost_records);
    json_put_int(j, "stacks", a->stacks);
    json_put_int(j, "torn_stacks", a->torn_stacks);
    json_put_int(j, "drift", a->drift);
    json_end_object(j);
}

static void not_judged(struct json *j, const struct snap *s)
{
    json_put_array(j, "not_judged");
    for (int i = 0; i < s->nnot_judged; i++)
        json_put_text(j, NULL, s->not_judged[i].rule);
    json_end_array(j);
    json_put_array(j, "not_judged_reasons");
    for (int i = 0; i < s->nnot_judged; i++) {
        json_put_object(j, NULL);
        json_put_text(j, "rule", s->not_judged[i].rule);
        json_put_text(j, "reason", s->not_judged[i].why);
        json_end_object(j);
    }
    json_end_array(j);
}

static void process(struct json *j, const struct snap_process *p)
{
    json_put_object(j, NULL);
    json_put_int(j, "pid", p->pid);
    json_put_int(j, "ppid", p->ppid > 0 ? p->ppid : SNAP_UNKNOWN);
    json_put_text(j, "name", p->name);
    json_put_text(j, "runtime", p->runtime == RUNTIME_UNKNOWN ? NULL : runtime_name(p->runtime));
    json_put_text(j, "runtime_version", p->runtime_version);
    json_put_text(j, "exe", p->exe);
    json_put_text(j, "cmdline", p->cmdline);
    json_put_time(j, "started_at", p->started_unix_ns);
    json_put_bool(j, "judged", p->judged);
    json_put_text(j, "why_not", p->why_not);
    json_put_bool(j, "exited", p->exited);
    json_put_int(j, "fd_count", p->fd_count);
    json_put_int(j, "fd_limit", p->fd_limit);
    json_put_int(j, "fd_limit_hard", p->fd_limit_hard);
    json_put_int(j, "lost_records", p->lost);
    json_put_array(j, "loops");
    for (int i = 0; i < p->nloops; i++)
        json_put_int(j, NULL, p->loops[i]);
    json_end_array(j);
    json_put_int(j, "task_count", p->ntasks);
    json_put_int(j, "orphan_count", p->norphans);
    json_put_int(j, "zombie_count", p->zombies);
    json_put_int(j, "zombie_oldest_ns", p->zombie_oldest_ns);
    json_put_text(j, "zombie_command", p->zombie_command);
    json_put_int(j, "rss_bytes", p->rss_bytes);
    json_end_object(j);
}

static void loop_window(struct json *j, const struct loop_window *w)
{
    json_put_object(j, "window");
    json_put_int(j, "window_ns", w->window_ns);
    json_put_int(j, "turns", w->turns);
    json_put_int(j, "polls_empty", w->polls_empty);
    json_put_int(j, "busy_ns", w->busy_ns);
    json_put_int(j, "wait_ns", w->wait_ns);
    json_put_int(j, "cpu_user_ns", w->cpu_user_ns);
    json_put_int(j, "cpu_kernel_ns", w->cpu_kernel_ns);
    json_put_int(j, "runqueue_ns", w->runqueue_ns);
    json_put_int(j, "stopped_ns", w->stopped_ns);
    json_put_int(j, "turn_p50_ns", w->turn_p50_ns);
    json_put_int(j, "turn_p99_ns", w->turn_p99_ns);
    json_put_int(j, "turn_max_ns", w->turn_max_ns);
    json_put_int(j, "runqueue_p99_ns", w->runqueue_p99_ns);
    json_put_int(j, "hot_fd", w->hot_fd);
    json_put_int(j, "pool_busy_ns", w->pool_busy_ns);
    json_put_text(j, "starved_by", w->starved_by);
    json_put_text(j, "busy_stack_id", stack_id(w->busy_stack));
    json_end_object(j);
}

static void loop(struct json *j, const struct snap_loop *l)
{
    json_put_object(j, NULL);
    json_put_int(j, "pid", l->pid);
    json_put_int(j, "tid", l->tid);
    json_put_text(j, "name", l->name);
    json_put_text(j, "state", loop_state_name(l->state));
    json_put_text(j, "why_not", l->why_not);
    json_put_bool(j, "judged", l->judged);
    json_put_int(j, "judged_ns", l->judged_ns);
    json_put_int(j, "turns", l->turns);
    json_put_text(j, "turns_are", l->turns_estimated ? "estimated" : "exact");
    json_put_real(j, "busy_ratio", l->busy_ratio);
    json_put_int(j, "lag_p50_ns", l->lag_p50_ns);
    json_put_int(j, "lag_p90_ns", l->lag_p90_ns);
    json_put_int(j, "lag_p99_ns", l->lag_p99_ns);
    json_put_int(j, "lag_max_ns", l->lag_max_ns);
    json_put_int(j, "blocked_ns", l->blocked_ns);
    json_put_int(j, "iteration", l->iteration);
    json_task_ref(j, "task", &l->task);
    json_put_text(j, "stack_id", stack_id(l->stack));
    loop_window(j, &l->window);
    json_put_array(j, "lag_histogram");
    for (int i = 0; i < 14; i++) {
        json_put_object(j, NULL);
        json_put_int(j, "le_ns",
                     snap_lag_bounds_ns[i] == INT64_MAX ? SNAP_UNKNOWN : snap_lag_bounds_ns[i]);
        json_put_unsigned(j, "turns", l->lag_hist[i]);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
}

static void task(struct json *j, const struct snap_task *t)
{
    json_put_object(j, NULL);
    json_put_text(j, "id", t->id);
    json_put_int(j, "pid", t->pid);
    json_put_int(j, "tid", t->tid);
    json_put_text(j, "parent", t->parent);
    json_put_text(j, "name", t->name);
    json_put_text(j, "state", task_state_name(t->state));
    json_put_int(j, "age_ns", t->age_ns);
    json_put_int(j, "busy_ns", t->busy_ns);
    json_put_int(j, "wait_ns", t->wait_ns);
    json_put_int(j, "steps", t->steps);
    json_put_text(j, "spawn_site", t->spawn_site);
    json_put_text(j, "await_site", t->await_site);
    json_put_text(j, "waits_on", t->waits_on);
    json_put_text(j, "error", t->error);
    json_put_array(j, "flags");
    for (size_t i = 0; i < sizeof(task_flags) / sizeof(*task_flags); i++)
        if (t->flags & task_flags[i].flag)
            json_put_text(j, NULL, task_flags[i].name);
    json_end_array(j);
    json_put_text(j, "chain_stack_id", stack_id(t->chain));
    json_end_object(j);
}

static void task_site(struct json *j, const struct snap_task_site *t)
{
    json_put_object(j, NULL);
    json_put_int(j, "pid", t->pid);
    json_put_text(j, "spawn_site", t->site);
    json_put_text(j, "name", t->name);
    json_put_int(j, "live", t->live);
    json_put_int(j, "orphaned", t->orphaned);
    json_put_int(j, "spawned", t->spawned);
    json_put_int(j, "completed", t->completed);
    json_put_int(j, "failed", t->failed);
    json_put_int(j, "cancelled", t->cancelled);
    json_put_real(j, "growth_per_s", t->growth_per_s);
    json_put_int(j, "oldest_ns", t->oldest_ns);
    json_put_int(j, "mean_ns", t->mean_ns);
    json_put_int(j, "p99_ns", t->p99_ns);
    json_end_object(j);
}

static void fd_detail(struct json *j, const struct snap_fd *f)
{
    json_put_object(j, NULL);
    json_put_int(j, "fd", f->fd);
    json_put_int(j, "age_ns", f->age_ns);
    json_put_int(j, "idle_ns", f->idle_ns);
    json_put_int(j, "rx_bytes", f->rx);
    json_put_int(j, "tx_bytes", f->tx);
    json_put_text(j, "state", f->state);
    json_put_text(j, "target", f->target);
    json_task_ref(j, "task", &f->task);
    json_end_object(j);
}

static void fd_site(struct json *j, const struct snap_fd_site *f)
{
    json_put_object(j, NULL);
    json_put_int(j, "pid", f->pid);
    json_put_text(j, "kind", f->kind);
    json_put_text(j, "site_stack_id", stack_id(f->stack));
    json_put_int(j, "opened", f->opened);
    json_put_int(j, "closed", f->closed);
    json_put_int(j, "open", f->open);
    json_put_int(j, "oldest_ns", f->oldest_ns);
    json_put_real(j, "growth_per_s", f->growth_per_s);
    json_put_text(j, "verdict", f->verdict);
    json_put_text(j, "note", f->note);
    json_put_int(j, "close_wait", f->close_wait);
    json_put_array(j, "detail");
    for (int i = 0; i < f->ndetail; i++)
        fd_detail(j, &f->detail[i]);
    json_end_array(j);
    json_end_object(j);
}

static void stacks(struct json *j, const struct snap *s, unsigned parts)
{
    struct stack_set set = {0};
    stack_set_snap(&set, s, parts);
    stack_set_sort(&set);
    json_put_object(j, "stacks");
    for (int i = 0; i < set.n; i++)
        json_stack(j, set.stacks[i]->id, set.stacks[i]);
    json_end_object(j);
    json_put_object(j, "stack_notes"); // only of those that are not whole
    for (int i = 0; i < set.n; i++) {
        const struct stack *st = set.stacks[i];
        if (!st->torn && st->to_main)
            continue;
        json_put_object(j, st->id);
        json_put_bool(j, "torn", st->torn);
        json_put_bool(j, "to_main", st->to_main);
        json_end_object(j);
    }
    json_end_object(j);
    stack_set_finish(&set);
}

static void header(struct json *j, const struct snap *s)
{
    json_put_text(j, "schema", SCHEMA_NAME);
    json_put_time(j, "started_at", s->started_unix_ns);
    json_put_time(j, "generated_at", s->started_unix_ns + s->now_ns);
    json_put_int(j, "window_ns", s->now_ns);
    json_put_text(j, "target", s->source);
    json_put_int(j, "threshold_ns", s->threshold_ns);
    json_put_real(j, "time_scale", s->time_scale);
    json_put_int(j, "target_exit", s->target_exit);
    host(j, s);
    agent(j, s);
    not_judged(j, s);
}

// An array of one part, or [] when it was not asked for.
#define PART_ARRAY(key, part, n, list, print)                                                      \
    do {                                                                                           \
        json_put_array(j, key);                                                                    \
        for (int i_ = 0; i_ < (n) && o->parts & (part); i_++)                                      \
            print(j, &(list)[i_]);                                                                 \
        json_end_array(j);                                                                         \
    } while (0)

static void array_finding(struct json *j, const struct finding *f)
{
    json_finding(j, NULL, f);
}

void json_document(struct json *j, const char *key, const struct snap *s,
                   const struct export_opts *o)
{
    json_put_object(j, key);
    header(j, s);
    PART_ARRAY("processes", PART_PROCESSES, s->nprocesses, s->processes, process);
    PART_ARRAY("loops", PART_LOOPS, s->nloops, s->loops, loop);
    PART_ARRAY("findings", PART_FINDINGS, s->nfindings, s->findings, array_finding);
    stacks(j, s, o->parts);
    PART_ARRAY("tasks", PART_TASKS, s->ntasks, s->tasks, task);
    PART_ARRAY("task_sites", PART_TASKS, s->ntask_sites, s->task_sites, task_site);
    PART_ARRAY("fds", PART_FDS, s->nfds, s->fds, fd_site);
    json_end_object(j);
}
