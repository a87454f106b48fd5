#include "../rules/lint_link.h"
#include "doc.h"

void json_cause(struct json *j, const char *key, const struct cause *c)
{
    json_put_object(j, key);
    json_put_text(j, "kind", cause_kind_name(c->kind));
    json_put_text(j, "syscall", c->syscall);
    json_put_int(j, "fd", c->fd);
    json_put_text(j, "path", c->path);
    json_put_text(j, "peer", c->peer);
    json_put_text(j, "lock", c->lock);
    json_put_int(j, "holder_tid", c->holder_tid);
    json_put_text(j, "holder_stack_id", stack_id(c->holder_stack));
    json_put_real(j, "ratio", c->ratio);
    json_put_bool(j, "is_log", c->is_log);
    json_put_bool(j, "nonblock_missing", c->nonblock_missing);
    json_end_object(j);
}

void json_task_ref(struct json *j, const char *key, const struct task_ref *t)
{
    if (!t->id) {
        json_put_null(j, key);
        return;
    }
    json_put_object(j, key);
    json_put_text(j, "id", t->id);
    json_put_text(j, "name", t->name);
    json_put_text(j, "spawn_site", t->spawn_site);
    json_put_text(j, "await_site", t->await_site);
    json_end_object(j);
}

void json_frame(struct json *j, const struct frame *f, bool culprit)
{
    json_put_object(j, NULL);
    json_put_text(j, "function", f->function);
    json_put_text(j, "file", f->file);
    json_put_int(j, "line", f->line > 0 ? f->line : SNAP_UNKNOWN);
    json_put_text(j, "module", f->module);
    json_put_text(j, "build_id", f->build_id);
    json_put_unsigned(j, "offset", f->offset);
    json_put_text(j, "kind", frame_kind_name((enum frame_kind)f->kind));
    json_put_bool(j, "uncertain", f->uncertain);
    json_put_bool(j, "runtime", f->runtime);
    json_put_bool(j, "culprit", culprit);
    json_end_object(j);
}

void json_stack(struct json *j, const char *key, const struct stack *st)
{
    json_put_array(j, key);
    for (int i = 0; i < st->nframes; i++)
        json_frame(j, &st->frames[i], i == st->culprit);
    json_end_array(j);
}

static void culprit(struct json *j, const struct stack *st)
{
    if (!st || st->culprit < 0) {
        json_put_null(j, "culprit");
        return;
    }
    const struct frame *f = &st->frames[st->culprit];
    json_put_object(j, "culprit");
    json_put_text(j, "function", f->function);
    json_put_text(j, "file", f->file);
    json_put_int(j, "line", f->line > 0 ? f->line : SNAP_UNKNOWN);
    json_put_text(j, "module", f->module);
    json_end_object(j);
}

static void text_array(struct json *j, const char *key, const char *const *texts, int n)
{
    json_put_array(j, key);
    for (int i = 0; i < n; i++)
        json_put_text(j, NULL, texts[i]);
    json_end_array(j);
}

static void occurrences(struct json *j, const struct finding *f)
{
    json_put_array(j, "occurrences");
    for (int i = 0; i < f->noccurrences; i++) {
        const struct occurrence *o = &f->occurrences[i];
        json_put_object(j, NULL);
        json_put_int(j, "at_ns", o->at_ns);
        json_put_int(j, "duration_ns", o->duration_ns);
        json_put_int(j, "captured_after_ns", o->captured_after_ns);
        json_put_text(j, "stack_id", stack_id(o->stack));
        json_cause(j, "cause", &o->cause);
        json_end_object(j);
    }
    json_end_array(j);
}

static void evidence(struct json *j, const struct finding *f)
{
    json_put_array(j, "evidence");
    for (int i = 0; i < f->nevidence; i++) {
        json_put_object(j, NULL);
        json_put_text(j, "key", f->evidence[i].key);
        json_put_real(j, "value", f->evidence[i].value);
        json_put_text(j, "unit", f->evidence[i].unit);
        json_put_text(j, "text", f->evidence[i].text);
        json_end_object(j);
    }
    json_end_array(j);
}

static void history(struct json *j, const struct finding *f)
{
    json_put_int(j, "first_seen_ns", f->first_seen_ns);
    json_put_int(j, "last_seen_ns", f->last_seen_ns);
    json_put_int(j, "count", f->count);
    json_put_int(j, "suppressed", f->suppressed);
    json_put_int(j, "duration_ns", f->duration_ns);
    json_put_bool(j, "duration_is_lower_bound", f->duration_is_lower_bound);
    json_put_bool(j, "still_open", f->still_open);
    json_put_bool(j, "began_before_attach", f->began_before_attach);
    json_put_real(j, "confidence", f->confidence);
}

static void lint(struct json *j, const struct finding *f)
{
    struct lint_link link;
    if (!lint_link_of(f, &link)) {
        json_put_null(j, "lint");
        return;
    }
    json_put_object(j, "lint");
    json_put_text(j, "rule", link.rule);
    json_put_text(j, "verify", link.command);
    json_end_object(j);
}

void json_finding(struct json *j, const char *key, const struct finding *f)
{
    json_put_object(j, key);
    json_put_text(j, "id", f->id);
    json_put_text(j, "rule", f->rule);
    text_array(j, "also", f->also, f->nalso);
    text_array(j, "related", f->related, f->nrelated);
    json_put_text(j, "severity", severity_name(f->severity));
    json_put_text(j, "state", f->open ? "open" : "closed");
    json_put_int(j, "pid", f->pid);
    json_put_int(j, "tid", f->tid ? f->tid : SNAP_UNKNOWN);
    json_put_text(j, "subject", f->subject);
    json_put_text(j, "title", f->title);
    history(j, f);
    json_cause(j, "cause", &f->cause);
    json_put_bool(j, "captured_during", f->captured_during);
    json_put_int(j, "captured_after_ns", f->captured_after_ns);
    json_put_int(j, "attached_after_ns", f->attached_after_ns);
    occurrences(j, f);
    json_task_ref(j, "task", &f->task);
    json_put_text(j, "stack_id", stack_id(f->stack));
    culprit(j, f->stack);
    evidence(j, f);
    text_array(j, "remedy", f->remedy, f->nremedy);
    json_put_text(j, "verify", f->verify);
    lint(j, f);
    json_end_object(j);
}
