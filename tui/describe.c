#include "describe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../agent/rules/lint_link.h"

#include "format.h"
#include "text.h"
#include "view.h"

#define HEADING 11 // columns of WHAT, EVIDENCE, ...

static const char *object_of(const struct cause *c)
{
    return c->path ? c->path : c->peer;
}

const char *describe_cause(const struct cause *c, char *buf, size_t size)
{
    char fd[32] = "";
    if (c->fd != SNAP_UNKNOWN && c->fd >= 0)
        snprintf(fd, sizeof(fd), " fd %lld", (long long)c->fd);
    switch (c->kind) {
    case CAUSE_CPU_USER: snprintf(buf, size, "computing (user)"); break;
    case CAUSE_CPU_KERNEL:
        snprintf(buf, size, "computing in the kernel%s%s", c->syscall ? ", " : "",
                 c->syscall ? c->syscall : "");
        break;
    case CAUSE_SYSCALL:
        snprintf(buf, size, "asleep in %s%s%s%s", c->syscall ? c->syscall : "a system call", fd,
                 object_of(c) ? " " : "", object_of(c) ? object_of(c) : "");
        break;
    case CAUSE_LOCK: snprintf(buf, size, "waiting for %s", c->lock ? c->lock : "a lock"); break;
    case CAUSE_RUNQUEUE: snprintf(buf, size, "waiting for a CPU"); break;
    case CAUSE_PAGE_FAULT: snprintf(buf, size, "waiting for a page"); break;
    case CAUSE_GC: snprintf(buf, size, "collecting garbage"); break;
    case CAUSE_STOPPED: snprintf(buf, size, "stopped"); break;
    default: snprintf(buf, size, "of unknown cause"); break;
    }
    return buf;
}

static int first_user_frame(const struct stack *s)
{
    if (s->culprit >= 0)
        return s->culprit;
    for (int i = 0; i < s->nframes; i++)
        if (!s->frames[i].runtime)
            return i;
    return 0;
}

static const char *short_name(const struct frame *f, char *buf, size_t size)
{
    if (f->function)
        snprintf(buf, size, "%s", f->function);
    else
        frame_text(f, buf, (int)size);
    return buf;
}

const char *describe_stack(const struct stack *s, char *buf, size_t size)
{
    buf[0] = '\0';
    if (!s || s->nframes == 0)
        return buf;
    size_t used = 0;
    int first = first_user_frame(s), shown = 0;
    for (int i = first; i < s->nframes && shown < 3; i++) {
        char name[128];
        if (i > first && s->frames[i].runtime)
            continue;
        int n = snprintf(buf + used, size - used, "%s%s", shown ? " < " : "",
                         short_name(&s->frames[i], name, sizeof(name)));
        if (n < 0 || used + (size_t)n >= size)
            return buf;
        used += (size_t)n;
        shown++;
    }
    const struct frame *f = &s->frames[first];
    if (f->file)
        snprintf(buf + used, size - used, "  (%s:%d)", text_base(f->file), f->line);
    return buf;
}

const char *describe_culprit(const struct stack *s, char *buf, size_t size)
{
    if (!s || s->nframes == 0)
        snprintf(buf, size, "-");
    else
        short_name(&s->frames[first_user_frame(s)], buf, size);
    return buf;
}

const char *describe_headline(const struct finding *f, char *buf, size_t size)
{
    const struct stack *s = f->stack;
    const char *title = f->title ? f->title : "-";
    bool blamed = s && s->culprit >= 0 && s->culprit < s->nframes && s->frames[s->culprit].function;
    snprintf(buf, size, "%s%s%s", blamed ? s->frames[s->culprit].function : "", blamed ? ": " : "",
             title);
    return buf;
}

const char *describe_culprit_place(const struct stack *s, char *buf, size_t size)
{
    const struct frame *f = s && s->nframes > 0 ? &s->frames[first_user_frame(s)] : NULL;
    if (f && f->file && f->line > 0)
        snprintf(buf, size, "%s:%d", text_base(f->file), f->line);
    else if (f && (f->file || f->module))
        snprintf(buf, size, "%s", text_base(f->file ? f->file : f->module));
    else
        snprintf(buf, size, "-");
    return buf;
}

void describe_frames(const struct stack *s, bool blame, struct lines *out)
{
    if (!s) {
        lines_add(out, STYLE_DIM, "no stack is known");
        return;
    }
    for (int i = 0; i < s->nframes; i++) {
        char text[512];
        const struct frame *f = &s->frames[i];
        frame_text(f, text, sizeof(text));
        bool culprit = blame && i == s->culprit;
        enum style style = culprit ? STYLE_CRITICAL : f->runtime ? STYLE_DIM : STYLE_TEXT;
        lines_add(out, style, "  #%-2d %s%s%s", i, text, f->uncertain ? "  ?" : "",
                  culprit ? "  <- culprit" : "");
    }
    if (s->torn)
        lines_add(out, STYLE_DIM, "  (torn: the outer frames could not be read)");
}

static void wrap(struct lines *out, enum style style, const char *heading, int width,
                 const char *text)
{
    lines_wrap(out, style, heading, HEADING, width, text);
}

static void add_evidence(const struct finding *f, int width, struct lines *out)
{
    const char *heading = "EVIDENCE";
    for (int i = 0; i < f->nevidence; i++) {
        const struct evidence *e = &f->evidence[i];
        char text[512];
        if (e->text)
            snprintf(text, sizeof(text), "%s", e->text);
        else if (isnan(e->value))
            continue;
        else
            snprintf(text, sizeof(text), "%s %g %s", e->key ? e->key : "", e->value,
                     e->unit ? e->unit : "");
        wrap(out, STYLE_TEXT, heading, width, text);
        heading = "";
    }
}

static void add_cause(const struct finding *f, int width, struct lines *out)
{
    char text[600], cause[400];
    if (f->cause.kind == CAUSE_UNKNOWN && strncmp(f->rule ? f->rule : "", "loop-", 5) != 0)
        return;
    describe_cause(&f->cause, cause, sizeof(cause));
    if (isnan(f->cause.ratio) || f->cause.ratio <= 0)
        snprintf(text, sizeof(text), "%s", cause);
    else
        snprintf(text, sizeof(text), "%.0f %% of the time %s", f->cause.ratio * 100, cause);
    wrap(out, STYLE_TEXT, "CAUSE", width, text);
    if (f->stack) {
        describe_stack(f->stack, text, sizeof(text));
        wrap(out, STYLE_STRONG, "AT", width, text);
    }
}

static void add_task(const struct task_ref *t, int width, struct lines *out)
{
    char text[512];
    if (!t->id)
        return;
    snprintf(text, sizeof(text), "%s #%s%s%s%s%s", t->name ? t->name : "(no name)", t->id,
             t->spawn_site ? ", spawned at " : "", t->spawn_site ? t->spawn_site : "",
             t->await_site ? ", awaits at " : "", t->await_site ? t->await_site : "");
    wrap(out, STYLE_TEXT, "TASK", width, text);
}

static void add_remedy(const struct finding *f, int width, struct lines *out)
{
    for (int i = 0; i < f->nremedy; i++) {
        char text[600];
        snprintf(text, sizeof(text), "%d. %s", i + 1, f->remedy[i] ? f->remedy[i] : "-");
        wrap(out, STYLE_TEXT, i == 0 ? "REMEDY" : "", width, text);
    }
}

static void add_list(const char *heading, const char **texts, int n, int width, struct lines *out)
{
    char text[512] = "";
    for (int i = 0; i < n; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "",
                 texts[i] ? texts[i] : "-");
    }
    if (n > 0)
        wrap(out, STYLE_TEXT, heading, width, text);
}

static void add_what(const struct snap *s, const struct finding *f, int width, struct lines *out)
{
    char text[512], times[48] = "seen once";
    if (f->count != 1)
        snprintf(times, sizeof(times), "seen %lld times", (long long)f->count);
    wrap(out, f->open ? style_of(f->severity) : STYLE_DIM, "WHAT", width,
         f->title ? f->title : "-");
    snprintf(text, sizeof(text), "%s %s, %s since %s%s%s%s%s",
             f->open ? "open:" : "closed:", severity_name(f->severity), times,
             fmt_clock(s->started_unix_ns + f->first_seen_ns).s,
             f->duration_ns > 0 ? ", newest " : "",
             f->duration_ns > 0 ? fmt_ns(f->duration_ns).s : "",
             f->still_open ? " and still lasting" : "",
             f->began_before_attach ? ", began before the attach" : "");
    wrap(out, STYLE_TEXT, "", width, text);
}

static void add_occurrences(const struct snap *s, const struct finding *f, struct lines *out)
{
    if (f->noccurrences == 0)
        return;
    lines_add(out, STYLE_TEXT, "%s", "");
    lines_add(out, STYLE_STRONG, "OCCURRENCES, newest first: %d of %lld", f->noccurrences,
              (long long)f->count);
    for (int i = 0; i < f->noccurrences; i++) {
        const struct occurrence *o = &f->occurrences[i];
        char cause[300], where[300];
        lines_add(out, STYLE_TEXT, "  %s  %8s  %s  %s", fmt_clock(s->started_unix_ns + o->at_ns).s,
                  fmt_ns(o->duration_ns).s, describe_cause(&o->cause, cause, sizeof(cause)),
                  describe_culprit(o->stack, where, sizeof(where)));
    }
    if (f->suppressed > 0)
        lines_add(out, STYLE_DIM, "  %lld more had no stack taken (capture budget)",
                  (long long)f->suppressed);
}

static void add_stack(const char *title, const struct stack *stack, bool blame, struct lines *out)
{
    if (!stack)
        return;
    lines_add(out, STYLE_TEXT, "%s", "");
    lines_add(out, STYLE_STRONG, "%s", title);
    describe_frames(stack, blame, out);
}

void describe_finding(const struct snap *s, const struct finding *f, int width, bool whole,
                      struct lines *out)
{
    add_what(s, f, width, out);
    add_evidence(f, width, out);
    add_cause(f, width, out);
    add_task(&f->task, width, out);
    add_remedy(f, width, out);
    if (f->verify)
        wrap(out, STYLE_SCOPE, "VERIFY", width, f->verify);
    add_list("ALSO", f->also, f->nalso, width, out);
    add_list("RELATED", f->related, f->nrelated, width, out);
    if (!whole)
        return;
    add_stack("STACK, leaf first", f->stack, true, out);
    add_stack("STACK OF THE LOCK'S HOLDER", f->cause.holder_stack, false, out);
    if (f->rule)
        lines_add(out, STYLE_DIM, "(the rule: loopscope rules %s)", f->rule);
    struct lint_link link;
    if (lint_link_of(f, &link))
        lines_add(out, STYLE_DIM, "(before it runs: %s looks for it as %s)", link.command,
                  link.rule);
    add_occurrences(s, f, out);
}

static bool wanted_sample(const struct cause *c, int cpu_mode)
{
    bool on_cpu = c->kind == CAUSE_CPU_USER || c->kind == CAUSE_CPU_KERNEL || c->kind == CAUSE_GC;
    return cpu_mode == 0 || (cpu_mode == 1) == on_cpu;
}

// An open or just ended stall has several samples: each stands for the time since the one before.
static int stall_samples(const struct snap_stall *st, int cpu_mode, struct flame_sample *out,
                         int max)
{
    int n = 0;
    int64_t before = 0;
    for (int i = 0; i < st->nsamples && n < max; i++) {
        const struct stall_sample *sample = &st->samples[i];
        int64_t weight = sample->elapsed_ns - before;
        before = sample->elapsed_ns;
        if (sample->stack && (cpu_mode == 0 || (cpu_mode == 1) == sample->on_cpu))
            out[n++] = (struct flame_sample){sample->stack, weight > 0 ? weight : 1};
    }
    return n;
}

int describe_samples(const struct snap *s, const struct finding *f, int cpu_mode,
                     struct flame_sample *out, int max)
{
    int n = 0;
    for (int i = 0; i < s->nstalls && n < max; i++)
        if (s->stalls[i].open && s->stalls[i].pid == f->pid && s->stalls[i].tid == f->tid &&
            f->still_open)
            n += stall_samples(&s->stalls[i], cpu_mode, out + n, max - n);
    for (int i = n > 0 ? 1 : 0; i < f->noccurrences && n < max; i++) {
        const struct occurrence *o = &f->occurrences[i];
        if (o->stack && o->duration_ns != SNAP_UNKNOWN && wanted_sample(&o->cause, cpu_mode))
            out[n++] = (struct flame_sample){o->stack, o->duration_ns > 0 ? o->duration_ns : 1};
    }
    if (n == 0 && f->stack && max > 0 && wanted_sample(&f->cause, cpu_mode))
        out[n++] = (struct flame_sample){f->stack, f->duration_ns > 0 ? f->duration_ns : 1};
    return n;
}
