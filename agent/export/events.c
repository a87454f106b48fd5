// `watch --json`: one event, one line.
#include "doc.h"

static const char *event_name(enum snap_event_kind k)
{
    static const char *const names[] = {"attached", "open", "update", "close", "detached", "lost"};
    return (unsigned)k < sizeof(names) / sizeof(*names) ? names[k] : "unknown";
}

static void stacks_of(struct json *j, const struct finding *f)
{
    struct stack_set set = {0};
    if (f)
        stack_set_add(&set, f->stack);
    if (f && f->noccurrences > 0)
        stack_set_add(&set, f->occurrences[0].stack);
    stack_set_sort(&set);
    json_put_object(j, "stacks");
    for (int i = 0; i < set.n; i++)
        json_stack(j, set.stacks[i]->id, set.stacks[i]);
    json_end_object(j);
    stack_set_finish(&set);
}

// A line must stay short however often a finding recurs: only its newest occurrence goes with it.
static void finding_of(struct json *j, const struct finding *f)
{
    if (!f) {
        json_put_null(j, "finding");
        return;
    }
    struct finding newest = *f;
    newest.noccurrences = f->noccurrences > 0 ? 1 : 0;
    json_finding(j, "finding", &newest);
}

void export_event_json(const struct snap *s, const struct snap_event *e, FILE *out)
{
    const struct finding *f = find_finding(s, e->finding);
    const struct snap_process *p = snap_process_of(s, e->pid);
    struct json j = json_begin(out);
    json_put_object(&j, NULL);
    json_put_text(&j, "event", event_name(e->kind));
    json_put_text(&j, "schema", SCHEMA_NAME);
    json_put_time(&j, "time", s->started_unix_ns + e->at_ns);
    json_put_int(&j, "at_ns", e->at_ns);
    json_put_int(&j, "pid", e->pid > 0 ? e->pid : SNAP_UNKNOWN);
    json_put_text(&j, "process", p ? p->name : NULL);
    json_put_text(&j, "runtime", p && p->runtime ? runtime_name(p->runtime) : NULL);
    json_put_text(&j, "text", e->text);
    json_put_text(&j, "finding_id", e->finding);
    json_put_text(&j, "rule", f ? f->rule : NULL);
    json_put_text(&j, "severity", f ? severity_name(f->severity) : NULL);
    json_put_text(&j, "subject", f ? f->subject : NULL);
    json_put_text(&j, "title", f ? f->title : NULL);
    finding_of(&j, f);
    stacks_of(&j, f);
    json_end_object(&j);
    fputc('\n', out);
}
