#include "filter.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct frame *culprit_in(const struct stack *st)
{
    return st && st->culprit >= 0 ? &st->frames[st->culprit] : NULL;
}

// Of the newest occurrence that has one: one without a readable stack must not make it another finding.
static const struct frame *culprit(const struct finding *f)
{
    const struct frame *c = culprit_in(f->stack);
    for (int i = 0; i < f->noccurrences && !c; i++)
        c = culprit_in(f->occurrences[i].stack);
    return c;
}

static bool glob_matches(const char *glob, const char *text)
{
    return text && fnmatch(glob, text, 0) == 0;
}

static bool matches(const char *glob, const struct finding *f)
{
    const struct frame *c = culprit(f);
    return glob_matches(glob, f->subject) || glob_matches(glob, f->title) ||
           glob_matches(glob, f->cause.path) || glob_matches(glob, f->cause.peer) ||
           glob_matches(glob, f->task.name) || glob_matches(glob, f->task.spawn_site) ||
           (c && (glob_matches(glob, c->function) || glob_matches(glob, c->file) ||
                  glob_matches(glob, c->module)));
}

bool finding_ignored(const struct opts *opts, const struct finding *f)
{
    for (int i = 0; i < opts->nignore; i++) {
        char rule[64];
        const char *colon = strchr(opts->ignore[i], ':');
        size_t n = colon ? (size_t)(colon - opts->ignore[i]) : strlen(opts->ignore[i]);
        snprintf(rule, sizeof(rule), "%.*s", (int)n, opts->ignore[i]);
        if (glob_matches(rule, f->rule) && (!colon || matches(colon + 1, f)))
            return true;
    }
    return false;
}

static void without_numbers(const char *text, char *buf, size_t size)
{
    size_t used = 0;
    for (; text && *text && used + 1 < size; text++) {
        bool digit = isdigit((unsigned char)*text);
        if (digit && used > 0 && buf[used - 1] == '#')
            continue;
        buf[used++] = digit ? '#' : *text;
    }
    buf[used] = '\0';
}

const char *finding_key(const struct finding *f, char *buf, size_t size)
{
    char what[400];
    const struct frame *c = culprit(f);
    if (c && c->function)
        snprintf(what, sizeof(what), "%.200s|%.180s", c->function, c->file ? c->file : "");
    else if (f->cause.path || f->cause.peer)
        without_numbers(f->cause.path ? f->cause.path : f->cause.peer, what, sizeof(what));
    else if (f->task.spawn_site)
        snprintf(what, sizeof(what), "%.390s", f->task.spawn_site);
    else
        without_numbers(f->subject, what, sizeof(what));
    snprintf(buf, size, "%s|%s", f->rule, what);
    return buf;
}

const struct finding *find_same(const struct snap *s, const struct finding *f)
{
    char wanted[512], key[512];
    finding_key(f, wanted, sizeof(wanted));
    for (int i = 0; i < s->nfindings; i++)
        if (!strcmp(wanted, finding_key(&s->findings[i], key, sizeof(key))))
            return &s->findings[i];
    return NULL;
}

void filter_findings(struct filtered *ret, const struct snap *s, finding_test test, const void *arg)
{
    *ret = (struct filtered){.snap = *s};
    ret->snap.findings = calloc((size_t)s->nfindings + 1, sizeof(*s->findings));
    if (!ret->snap.findings)
        abort();
    ret->snap.nfindings = 0;
    for (int i = 0; i < s->nfindings; i++)
        if (!test(arg, &s->findings[i]))
            ret->snap.findings[ret->snap.nfindings++] = s->findings[i];
    ret->left_out = s->nfindings - ret->snap.nfindings;
}

static bool is_ignored(const void *arg, const struct finding *f)
{
    return finding_ignored(arg, f);
}

void filter_ignored(struct filtered *ret, const struct snap *s, const struct opts *opts)
{
    filter_findings(ret, s, is_ignored, opts);
}

void filtered_finish(struct filtered *f)
{
    free(f->snap.findings);
    f->snap.findings = NULL;
}
