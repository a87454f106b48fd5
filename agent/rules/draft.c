#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

static void *must(void *p)
{
    if (!p) {
        fputs("loopscope: out of memory\n", stderr);
        abort();
    }
    return p;
}

char *rules_key(const struct rule *rule, int pid, int tid, const char *culprit)
{
    char *key;
    if (asprintf(&key, "%s/%d/%d/%s", rule->id, pid, tid, culprit ? culprit : "") < 0)
        key = NULL;
    return must(key);
}

struct draft *draft_new(struct rules *r, const struct rule *rule, int pid, int tid,
                        const char *culprit)
{
    struct draft *d = must(calloc(1, sizeof(*d)));
    const struct snap *now = r->now;
    d->rule = rule;
    d->key = rules_key(rule, pid, tid, culprit);
    d->box = snap_new();
    const struct snap_process *p = snap_process_of(now, pid);
    d->runtime = p ? p->runtime : RUNTIME_UNKNOWN;
    struct finding *f = &d->f;
    f->rule = rule->id;
    f->severity = rule->severity;
    f->open = true;
    f->pid = pid;
    f->tid = tid;
    f->subject = text_subject(d->box, now, pid, tid);
    f->first_seen_ns = f->last_seen_ns = now->now_ns;
    f->count = 1;
    f->duration_ns = f->captured_after_ns = f->attached_after_ns = SNAP_UNKNOWN;
    f->still_open = true;
    f->confidence = 0.9;
    f->cause.fd = f->cause.holder_tid = SNAP_UNKNOWN;
    f->evidence = snap_alloc(d->box, sizeof(*f->evidence) * EVIDENCE_MAX);
    f->verify = text_verify(d->box, now, pid);
    draft_remedy(d, rule);
    return d;
}

void draft_remedy(struct draft *d, const struct rule *rule)
{
    struct finding *f = &d->f;
    f->nremedy = 0;
    while (rule->remedy && rule->remedy[f->nremedy])
        f->nremedy++;
    f->remedy = snap_alloc(d->box, sizeof(*f->remedy) * (size_t)(f->nremedy + 1));
    for (int i = 0; i < f->nremedy; i++)
        f->remedy[i] = remedy_of(rule, i, d->runtime);
}

void draft_remedy_of_call(struct draft *d, const struct cause *cause)
{
    const char *text = remedy_of_call(cause, d->runtime);
    if (text)
        d->f.remedy[0] = text;
    if (!cause->nonblock_missing)
        d->f.nremedy = 1; // the second is about O_NONBLOCK
}

static char *format(struct snap *box, const char *fmt, va_list ap)
{
    char *text;
    if (vasprintf(&text, fmt, ap) < 0)
        text = must(NULL);
    char *kept = snap_strdup(box, text);
    free(text);
    return kept;
}

void draft_evidence(struct draft *d, const char *key, const char *unit, double value,
                    const char *fmt, ...)
{
    va_list ap;
    if (d->f.nevidence >= EVIDENCE_MAX)
        return;
    va_start(ap, fmt);
    d->f.evidence[d->f.nevidence++] = (struct evidence){
        .key = key, .unit = unit, .value = value, .text = format(d->box, fmt, ap)};
    va_end(ap);
}

void draft_title(struct draft *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    d->f.title = format(d->box, fmt, ap);
    va_end(ap);
}

void draft_cause(struct draft *d, const struct cause *cause, struct stack *stack)
{
    snap_copy_cause(d->box, &d->f.cause, cause);
    d->f.stack = snap_hold(d->box, stack);
}

void draft_opener(struct draft *d, const struct task_ref *task)
{
    struct task_ref ref = *task;
    if (!ref.id)
        ref.id = ""; // NULL would be: no task is known
    snap_copy_task_ref(d->box, &d->f.task, &ref);
}

void draft_free(struct draft *d)
{
    snap_unref(d->box);
    free(d->key);
    free(d);
}
