// Chrome's trace JSON, which Perfetto opens: stalls as slices on the loop's thread with the captured stacks
// inside them, tasks as asynchronous slices, busy share, longest turn and descriptors as counters,
// findings as instants. ts and dur are microseconds since the attach.
#include <errno.h>
#include <math.h>

#include "doc.h"
#include "formats.h"
#include "history.h"
#include "names.h"

static void begin_event(struct json *j, const char *phase, const char *name, int pid, int tid,
                        int64_t at_ns)
{
    json_put_object(j, NULL);
    json_put_text(j, "ph", phase);
    json_put_text(j, "name", name);
    json_put_int(j, "pid", pid);
    json_put_int(j, "tid", tid ? tid : pid);
    json_put_real(j, "ts", (double)(at_ns == SNAP_UNKNOWN ? 0 : at_ns) / 1000);
}

static void put_names(struct json *j, const struct snap *s)
{
    for (int i = 0; i < s->nprocesses; i++) {
        begin_event(j, "M", "process_name", s->processes[i].pid, 0, 0);
        json_put_object(j, "args");
        json_put_text(j, "name", process_name(s, s->processes[i].pid));
        json_end_object(j);
        json_end_object(j);
    }
    for (int i = 0; i < s->nloops; i++) {
        begin_event(j, "M", "thread_name", s->loops[i].pid, s->loops[i].tid, 0);
        json_put_object(j, "args");
        json_put_text(j, "name", thread_name(s, s->loops[i].tid));
        json_end_object(j);
        json_end_object(j);
    }
}

static void slice(struct json *j, const struct snap_stall *stall, const char *name,
                  const char *category, int64_t from, int64_t to)
{
    begin_event(j, "X", name, stall->pid, stall->tid, stall->begin_ns + from);
    json_put_real(j, "dur", (double)(to - from) / 1000);
    json_put_text(j, "cat", category);
}

static void put_stack_args(struct json *j, const struct stack *st)
{
    char buf[512];
    json_put_object(j, "args");
    json_put_array(j, "stack");
    for (int i = 0; i < st->nframes; i++)
        json_put_text(j, NULL, frame_text(&st->frames[i], buf, sizeof(buf)));
    json_end_array(j);
    json_end_object(j);
}

// Each look into the stall stands for the time until the next; bounded by the stall, so slices nest.
static void put_samples(struct json *j, const struct snap_stall *stall)
{
    int64_t from = 0;
    for (int i = 0; i < stall->nsamples; i++) {
        const struct stack *st = stall->samples[i].stack;
        int64_t to =
            i + 1 < stall->nsamples ? stall->samples[i + 1].elapsed_ns : stall->duration_ns;
        char word[512];
        if (to > stall->duration_ns)
            to = stall->duration_ns;
        if (to <= from)
            continue;
        if (st && st->nframes > 0) {
            int k = st->culprit >= 0 ? st->culprit : 0;
            slice(j, stall, frame_word(&st->frames[k], word, sizeof(word)), "stack", from, to);
            put_stack_args(j, st);
            json_end_object(j);
        }
        from = to;
    }
}

static void put_stall(struct json *j, const struct snap_stall *stall)
{
    if (stall->duration_ns <= 0)
        return;
    char name[200];
    snprintf(name, sizeof(name), "blocked: %s%s%s", cause_kind_name(stall->cause.kind),
             stall->cause.syscall ? " " : "", stall->cause.syscall ? stall->cause.syscall : "");
    slice(j, stall, name, "stall", 0, stall->duration_ns);
    json_put_object(j, "args");
    json_cause(j, "cause", &stall->cause);
    json_task_ref(j, "task", &stall->task);
    json_put_bool(j, "still_open", stall->open);
    json_end_object(j);
    json_end_object(j);
    put_samples(j, stall);
}

static void counter(struct json *j, const char *name, int pid, int tid, int64_t at_ns,
                    const char *key, double value)
{
    if (!isfinite(value))
        return;
    begin_event(j, "C", name, pid, tid, at_ns);
    json_put_object(j, "args");
    json_put_real(j, key, value);
    json_end_object(j);
    json_end_object(j);
}

static double known(int64_t v, double scale)
{
    return v == SNAP_UNKNOWN ? NAN : (double)v / scale;
}

static void put_counters(struct json *j, const struct snap *s, const struct history *h)
{
    char name[300];
    for (int i = 0; i < h->nloop_points; i++) {
        const struct loop_point *p = &h->loop_points[i];
        snprintf(name, sizeof(name), "busy %% %.100s %d", thread_name(s, p->tid), p->tid);
        counter(j, name, p->pid, p->tid, p->at_ns, "busy_percent", p->busy_ratio * 100);
        snprintf(name, sizeof(name), "longest turn ms %.100s %d", thread_name(s, p->tid), p->tid);
        counter(j, name, p->pid, p->tid, p->at_ns, "turn_ms", known(p->worst_ns, 1e6));
    }
    for (int i = 0; i < h->nprocess_points; i++) {
        const struct process_point *p = &h->process_points[i];
        counter(j, "descriptors", p->pid, 0, p->at_ns, "open", known(p->fd_count, 1));
        counter(j, "tasks", p->pid, 0, p->at_ns, "live", known(p->ntasks, 1));
    }
}

static void put_async(struct json *j, const char *phase, const struct snap_task *t, int64_t at_ns)
{
    begin_event(j, phase, t->name ? t->name : t->id, t->pid, t->tid, at_ns);
    json_put_text(j, "cat", "task");
    json_put_text(j, "id", t->id);
    json_put_object(j, "args");
    json_put_text(j, "state", task_state_name(t->state));
    json_put_text(j, "spawn_site", t->spawn_site);
    json_put_text(j, "await_site", t->await_site);
    json_end_object(j);
    json_end_object(j);
}

static void put_tasks(struct json *j, const struct snap *s)
{
    for (int i = 0; i < s->ntasks; i++) {
        const struct snap_task *t = &s->tasks[i];
        if (!t->id || t->age_ns == SNAP_UNKNOWN)
            continue;
        int64_t born = s->now_ns > t->age_ns ? s->now_ns - t->age_ns : 0;
        put_async(j, "b", t, born);
        put_async(j, "e", t, s->now_ns);
    }
}

static void put_findings(struct json *j, const struct snap *s)
{
    for (int i = 0; i < s->nfindings; i++) {
        const struct finding *f = &s->findings[i];
        begin_event(j, "i", f->rule, f->pid, f->tid, f->first_seen_ns);
        json_put_text(j, "s", f->tid ? "t" : "p");
        json_put_object(j, "args");
        json_put_text(j, "id", f->id);
        json_put_text(j, "severity", severity_name(f->severity));
        json_put_text(j, "title", f->title);
        json_put_text(j, "subject", f->subject);
        json_end_object(j);
        json_end_object(j);
    }
}

int export_trace(const struct snap *s, const struct export_opts *o, FILE *out)
{
    struct json j = json_begin(out);
    j.pretty = true;
    j.pretty_depth = 2;
    json_put_object(&j, NULL);
    json_put_text(&j, "displayTimeUnit", "ms");
    json_put_array(&j, "traceEvents");
    put_names(&j, s);
    const struct snap_stall *stalls = o->history ? o->history->stalls : s->stalls;
    int n = o->history ? o->history->nstalls : s->nstalls;
    for (int i = 0; i < n; i++)
        put_stall(&j, &stalls[i]);
    if (o->history)
        put_counters(&j, s, o->history);
    put_tasks(&j, s);
    put_findings(&j, s);
    json_end_array(&j);
    json_end_object(&j);
    fputc('\n', out);
    return ferror(out) ? -EIO : 0;
}
