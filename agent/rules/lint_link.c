#include "lint_link.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

const char *const lint_language_names[LINT_LANGUAGES] = {"Python", "C on the runtime",
                                                         "JavaScript"};

// NULL: no such rule in that language. What is seen as an orphan or a leak at run time began as a
// handle dropped or a way out without close.
static const struct {
    const char *rule, *lint[LINT_LANGUAGES];
} links[] = {
    {"loop-sync-io", {"loop-sync-io", "loop-sync-io", "loop-sync-io"}},
    {"loop-sync-log", {"loop-sync-log", "loop-sync-log", "loop-sync-log"}},
    {"loop-cpu", {"loop-cpu", "loop-cpu", "loop-cpu"}},
    {"loop-lock", {"loop-lock", "loop-lock", "loop-lock"}},
    {"task-unbounded", {"task-unbounded", "task-unbounded", "task-unbounded"}},
    {"task-orphan", {"task-error-unread", "task-never-awaited", NULL}},
    {"task-timeout-runs-on",
     {"task-timeout-runs-on", "task-timeout-runs-on", "task-timeout-runs-on"}},
    {"task-cancel-ignored", {"task-cancel-ignored", NULL, NULL}},
    {"task-cancel-leak", {"task-cancel-leak", NULL, NULL}},
    {"task-never-awaited", {"task-never-awaited", "task-never-awaited", "task-never-awaited"}},
    {"task-error-unread", {"task-error-unread", "task-error-unread", "task-error-unread"}},
    {"fd-leak", {"fd-orphan", "fd-orphan", "fd-orphan"}},
    {"fd-orphan", {"fd-orphan", "fd-orphan", "fd-orphan"}},
    {"thread-unsafe", {"thread-unsafe", "thread-unsafe", NULL}},
};

const char *lint_rule_for(const char *rule, enum lint_language_id language)
{
    for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
        if (!strcmp(rule, links[i].rule))
            return links[i].lint[language];
    return NULL;
}

// A stall that has no rule of its own is looked for by its cause.
static const char *rule_by_cause(const struct cause *c)
{
    switch (c->kind) {
    case CAUSE_SYSCALL: return c->is_log ? "loop-sync-log" : "loop-sync-io";
    case CAUSE_CPU_USER: return "loop-cpu";
    case CAUSE_LOCK: return "loop-lock";
    default: return "";
    }
}

static int language_of(const char *file, size_t n)
{
    static const struct {
        const char *suffix;
        enum lint_language_id language;
    } suffixes[] = {{".py", LINT_PYTHON},
                    {".c", LINT_C},
                    {".js", LINT_JAVASCRIPT},
                    {".mjs", LINT_JAVASCRIPT},
                    {".cjs", LINT_JAVASCRIPT}};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        size_t len = strlen(suffixes[i].suffix);
        if (n > len && !strncmp(file + n - len, suffixes[i].suffix, len))
            return (int)suffixes[i].language;
    }
    return -1;
}

struct place {
    const char *file;
    size_t n;
};

// "FILE:LINE" without its line, a file URL without its scheme.
static struct place place_of(const char *text)
{
    if (!text)
        return (struct place){"", 0};
    if (!strncmp(text, "file://", 7))
        text += 7;
    size_t n = strlen(text), end = n;
    while (end > 0 && isdigit((unsigned char)text[end - 1]))
        end--;
    if (end < n && end > 0 && text[end - 1] == ':')
        n = end - 1;
    return (struct place){text, n};
}

static const char *culprit_file(const struct finding *f)
{
    return f->stack && f->stack->culprit >= 0 ? f->stack->frames[f->stack->culprit].file : NULL;
}

// What a task did wrong began where it was spawned; all else where the culprit is.
static struct place place_in_source(const struct finding *f)
{
    struct place site = place_of(f->task.spawn_site), culprit = place_of(culprit_file(f));
    bool by_task = !strncmp(f->rule, "task-", 5);
    struct place first = by_task ? site : culprit, second = by_task ? culprit : site;
    return language_of(first.file, first.n) >= 0 ? first : second;
}

// Lint knows C by our runtime only: its tasks, or its functions on the stack.
static bool is_on_runtime(const struct finding *f)
{
    if (f->task.spawn_site)
        return true;
    for (int i = 0; f->stack && i < f->stack->nframes; i++) {
        const char *function = f->stack->frames[i].function;
        if (function && !strncmp(function, "ls_", 3))
            return true;
    }
    return false;
}

static void put_command(struct lint_link *l, const struct place *p)
{
    size_t n = (size_t)snprintf(l->command, sizeof(l->command), "loopscope lint ");
    bool plain = p->file[0] != '-';
    for (size_t i = 0; i < p->n; i++)
        plain &= isalnum((unsigned char)p->file[i]) || strchr("_./@%+=:,-", p->file[i]);
    if (plain) {
        snprintf(l->command + n, sizeof(l->command) - n, "%.*s", (int)p->n, p->file);
        return;
    }
    n += (size_t)snprintf(l->command + n, sizeof(l->command) - n, p->file[0] == '-' ? "'./" : "'");
    for (size_t i = 0; i < p->n && n + 8 < sizeof(l->command); i++)
        n += (size_t)snprintf(l->command + n, 8, p->file[i] == '\'' ? "'\\''" : "%c", p->file[i]);
    snprintf(l->command + n, sizeof(l->command) - n, "'");
}

bool lint_link_of(const struct finding *f, struct lint_link *ret)
{
    if (!f->rule)
        return false;
    struct place p = place_in_source(f);
    int language = language_of(p.file, p.n);
    if (language < 0 || p.n >= PATH_MAX || (language == LINT_C && !is_on_runtime(f)))
        return false;
    bool mixed = !strcmp(f->rule, "loop-blocked") || !strcmp(f->rule, "loop-hung");
    const char *rule = mixed ? rule_by_cause(&f->cause) : f->rule;
    ret->rule = lint_rule_for(rule, (enum lint_language_id)language);
    if (ret->rule)
        put_command(ret, &p);
    return ret->rule != NULL;
}
