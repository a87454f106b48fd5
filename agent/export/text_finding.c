// A finding as a good colleague says it: what, the evidence, where, what to do, how to check the cure.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../rules/lint_link.h"
#include "text.h"

#define MARGIN "   "

// Sentences are put together in memory, then wrapped.
struct sentence {
    FILE *f;
    char *text;
    size_t size;
};

static void begin(struct sentence *s)
{
    s->f = open_memstream(&s->text, &s->size); // keeps both addresses: s must not move
    if (!s->f)
        abort();
}

static void end(struct sentence *s, const struct text *t, const char *first)
{
    fclose(s->f);
    if (s->size > 0)
        text_wrap(t, first, s->text);
    free(s->text);
}

static void head(const struct text *t, const struct finding *f)
{
    ink(t, severity_ink(f->severity));
    fprintf(t->out, "%s %s", severity_mark(f->severity), f->rule);
    ink(t, INK_NONE);
    fprintf(t->out, "  %s%s  ", severity_name(f->severity), f->open ? "" : ", over");
    clean_print(t->out, f->subject, t->o->ascii);
    fprintf(t->out, "  [%s]\n", f->id);
    ink(t, INK_BOLD);
    text_wrap(t, MARGIN, f->title);
    ink(t, INK_NONE);
}

static void evidence(const struct text *t, const struct finding *f)
{
    for (int i = 0; i < f->nevidence; i++)
        if (f->evidence[i].text)
            text_wrap(t, MARGIN "- ", f->evidence[i].text);
}

static void how_often(struct sentence *s, const struct finding *f)
{
    if (f->count > 1)
        fprintf(s->f, "%s times between %s and %s after the attach", human_count(f->count).text,
                human_ns(f->first_seen_ns).text, human_ns(f->last_seen_ns).text);
    else
        fprintf(s->f, "%s %s after the attach", f->count == 1 ? "once," : "seen",
                human_ns(f->first_seen_ns).text);
    if (f->suppressed > 0)
        fprintf(s->f, "; %s of them counted only", human_count(f->suppressed).text);
}

static bool evidence_says(const struct finding *f, const char *what)
{
    for (int i = 0; i < f->nevidence; i++)
        if (f->evidence[i].text && strstr(f->evidence[i].text, what))
            return true;
    return false;
}

// The rule's own sentences come first; here only what they leave unsaid.
static void when(const struct text *t, const struct finding *f)
{
    struct sentence s;
    begin(&s);
    how_often(&s, f);
    if (f->count > 1 && f->duration_ns != SNAP_UNKNOWN)
        fprintf(s.f, "; the newest %s %s%s", f->still_open ? "has lasted" : "took",
                f->duration_is_lower_bound && !f->still_open ? "at least " : "",
                human_ns(f->duration_ns).text);
    if (isfinite(f->confidence) && f->confidence < 0.8)
        fprintf(s.f, "; %.0f %% sure", f->confidence * 100);
    end(&s, t, MARGIN "- ");
}

static void capture(const struct text *t, const struct finding *f)
{
    struct sentence s;
    if (!f->stack || evidence_says(f, "stack taken"))
        return;
    begin(&s);
    if (f->captured_during && f->captured_after_ns != SNAP_UNKNOWN)
        fprintf(s.f, "stack taken during the block, %s after the threshold was passed",
                human_ns(f->captured_after_ns).text);
    else if (f->attached_after_ns != SNAP_UNKNOWN)
        fprintf(s.f, "it began before the attach; stack taken %s after it",
                human_ns(f->attached_after_ns).text);
    end(&s, t, MARGIN "- ");
}

static void task(const struct text *t, const struct finding *f)
{
    const char *name = f->task.name ? f->task.name : f->task.id;
    if (!f->task.id || evidence_says(f, name))
        return;
    struct sentence s;
    begin(&s);
    fprintf(s.f, "task %s", name);
    if (f->task.spawn_site)
        fprintf(s.f, ", spawned at %s", f->task.spawn_site);
    if (f->task.await_site)
        fprintf(s.f, ", awaiting at %s", f->task.await_site);
    end(&s, t, MARGIN "- ");
}

static void others(const struct text *t, const struct finding *f)
{
    if (f->nrelated == 0)
        return;
    struct sentence s;
    begin(&s);
    fputs("see also", s.f);
    for (int i = 0; i < f->nrelated; i++)
        fprintf(s.f, " %s", f->related[i]);
    end(&s, t, MARGIN "- ");
}

static void stacks(const struct text *t, const struct finding *f)
{
    if (f->stack) {
        fputc('\n', t->out);
        text_stack(t, f->stack, MARGIN);
    }
    if (f->cause.holder_stack) {
        fprintf(t->out, "\n" MARGIN "meanwhile the holder, thread %lld:\n",
                (long long)f->cause.holder_tid);
        text_stack(t, f->cause.holder_stack, MARGIN);
    }
}

static void advice(const struct text *t, const struct finding *f)
{
    struct lint_link link;
    bool linked = lint_link_of(f, &link);
    if (f->nremedy > 0 || f->verify || linked)
        fputc('\n', t->out);
    for (int i = 0; i < f->nremedy; i++)
        if (f->remedy[i])
            text_wrap(t, i == 0 ? MARGIN "do:     " : MARGIN "        ", f->remedy[i]);
    if (f->verify) {
        fputs(MARGIN "verify: ", t->out);
        clean_print(t->out, f->verify, t->o->ascii);
        fputc('\n', t->out);
    }
    if (linked) { // unbroken, to be copied
        fputs(MARGIN "before it runs: ", t->out);
        clean_print(t->out, link.command, t->o->ascii);
        fprintf(t->out, " looks for it as %s\n", link.rule);
    }
}

void export_finding_text(const struct snap *s, const struct finding *f, const struct export_opts *o,
                         FILE *out)
{
    (void)s;
    struct text t = text_begin(out, o);
    head(&t, f);
    evidence(&t, f);
    when(&t, f);
    capture(&t, f);
    task(&t, f);
    others(&t, f);
    stacks(&t, f);
    advice(&t, f);
}

void text_findings(const struct text *t, const struct snap *s)
{
    for (int i = 0; i < s->nfindings; i++) {
        if (i > 0)
            fputc('\n', t->out);
        export_finding_text(s, &s->findings[i], t->o, t->out);
    }
}

static const struct frame *culprit_frame(const struct finding *f)
{
    return f->stack && f->stack->culprit >= 0 ? &f->stack->frames[f->stack->culprit] : NULL;
}

static void event_finding(const struct text *t, const struct snap_event *e, const struct finding *f)
{
    const char *word = e->kind == EVENT_OPEN    ? "open"
                       : e->kind == EVENT_CLOSE ? "over"
                       : f->still_open          ? "lasts"
                                                : "ended";
    char buf[400];
    ink(t, e->kind == EVENT_CLOSE ? INK_DIM : severity_ink(f->severity));
    fprintf(t->out, "%s %-5s %s", severity_mark(f->severity), word, f->rule);
    ink(t, INK_NONE);
    fputs("  ", t->out);
    clean_print(t->out, f->subject, t->o->ascii);
    fputs(": ", t->out);
    clean_print(t->out, f->title, t->o->ascii);
    const struct frame *c = culprit_frame(f);
    bool named = c && c->function && f->title && strstr(f->title, c->function);
    if (c && !named && e->kind != EVENT_CLOSE) {
        fputs("  at ", t->out);
        clean_print(t->out, frame_text(c, buf, sizeof(buf)), t->o->ascii);
    }
    if (e->kind != EVENT_OPEN && f->count > 1)
        fprintf(t->out, "  (%s times)", human_count(f->count).text);
    fprintf(t->out, "  [%s]", f->id);
}

static void event_process(const struct text *t, const struct snap *s, const struct snap_event *e)
{
    static const char *const words[] = {"attached", "", "", "", "detached", "lost"};
    const char *name = NULL;
    for (int i = 0; i < s->nprocesses; i++)
        if (s->processes[i].pid == e->pid)
            name = s->processes[i].name;
    ink(t, INK_DIM);
    fprintf(t->out, "-  %s", words[e->kind]);
    if (name) {
        fputc(' ', t->out);
        clean_print(t->out, name, t->o->ascii);
    }
    if (e->pid > 0)
        fprintf(t->out, name ? " (%d)" : " %d", e->pid);
    if (e->text) {
        fputs(": ", t->out);
        clean_print(t->out, e->text, t->o->ascii);
    }
    ink(t, INK_NONE);
}

void export_event_text(const struct snap *s, const struct snap_event *e,
                       const struct export_opts *o, FILE *out)
{
    struct text t = text_begin(out, o);
    const struct finding *f = find_finding(s, e->finding);
    int64_t unix_s = (s->started_unix_ns + e->at_ns) / 1000000000;
    fprintf(out, "%02d:%02d:%02d ", (int)(unix_s / 3600 % 24), (int)(unix_s / 60 % 60),
            (int)(unix_s % 60));
    bool about_finding = e->kind == EVENT_OPEN || e->kind == EVENT_UPDATE || e->kind == EVENT_CLOSE;
    if (about_finding && f)
        event_finding(&t, e, f);
    else
        event_process(&t, s, e);
    fputc('\n', out);
}
