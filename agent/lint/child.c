// Hands files to a child that parses them, and turns its answers into findings.
//
// A parser can be crashed by nesting, and a file can take it for ever: the helper says which file it
// begins, and when it dies or is silent too long that file is told and a new helper goes on behind it.
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"
#include "lint.h"

#define SILENT_MS 20000 // for one file
#define LINE_MAX_ (1 << 20)

struct session {
    const struct helper_program *program;
    struct lint_report *report;
    const struct lint_paths *paths;
    int base;    // the helper's file 0 is this one
    int current; // begun last; -1 none
    bool over;   // all were done
    char *line;
    size_t used, size;
};

static char *text_of(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    char *copy = strdup(s ? s : "");
    if (!copy)
        abort();
    return copy;
}

static int number_of(json_t *o, const char *key)
{
    return (int)json_integer_value(json_object_get(o, key));
}

static void take_chain(struct lint_finding *f, json_t *chain)
{
    size_t n = json_array_size(chain);
    f->chain = n ? calloc(n, sizeof(*f->chain)) : NULL;
    for (size_t i = 0; f->chain && i < n; i++) {
        json_t *step = json_array_get(chain, i);
        f->chain[f->nchain++] =
            (struct lint_step){text_of(step, "function"), number_of(step, "line")};
    }
}

static void take_finding(struct session *s, json_t *o, const char *rule_id, const char *file)
{
    const struct lint_rule *rule = lint_rule_find(rule_id);
    if (!rule)
        return;
    struct lint_finding f = {.rule = rule->id,
                             .severity = rule->severity,
                             .file = strdup(file),
                             .line = number_of(o, "line"),
                             .column = number_of(o, "column"),
                             .end_line = number_of(o, "end_line"),
                             .function = text_of(o, "function"),
                             .message = text_of(o, "message"),
                             .remedy = text_of(o, "remedy"),
                             .about = text_of(o, "about"),
                             .blocked_ms = NAN};
    take_chain(&f, json_object_get(o, "chain"));
    lint_add(s->report, &f);
}

static const char *path_of(const struct session *s, json_t *number)
{
    json_int_t i = json_integer_value(number) + s->base;
    return i >= 0 && i < s->paths->n ? s->paths->list[i] : NULL;
}

static void take(struct session *s, json_t *o)
{
    json_t *finding = json_object_get(o, "finding"), *file = json_object_get(o, "file");
    json_t *skip = json_object_get(o, "skip");
    if (finding && path_of(s, file)) {
        take_finding(s, o, json_string_value(finding), path_of(s, file));
    } else if (skip && path_of(s, skip)) {
        const char *why = json_string_value(json_object_get(o, "why"));
        lint_skip(s->report, path_of(s, skip), why ? why : "cannot be checked");
    } else if (json_object_get(o, "done")) {
        s->report->files++;
        s->report->lines += number_of(o, "lines");
    } else if (file && path_of(s, file)) {
        s->current = (int)json_integer_value(file) + s->base;
    }
    s->over = s->over || json_object_get(o, "end");
}

static void take_lines(struct session *s)
{
    char *at = s->line, *end = s->line + s->used;
    for (char *newline; (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
        json_t *o = json_loadb(at, (size_t)(newline - at), 0, NULL);
        if (o)
            take(s, o);
        json_decref(o);
    }
    s->used = (size_t)(end - at);
    memmove(s->line, at, s->used);
}

// false: it has ended, or must be.
static bool read_some(struct session *s, int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    int ready = poll(&p, 1, SILENT_MS);
    if (ready < 0 && errno == EINTR)
        return true;
    if (ready <= 0 || s->used == s->size)
        return false;
    ssize_t n = read(fd, s->line + s->used, s->size - s->used);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    s->used += (size_t)n;
    take_lines(s);
    return true;
}

static char *request_of(const struct session *s, const struct lint_settings *settings, size_t *size)
{
    char *text;
    FILE *f = open_memstream(&text, size);
    json_t *calls = json_array();
    if (!f || !calls)
        abort();
    for (int i = 0; i < settings->ncalls; i++)
        json_array_append_new(calls,
                              json_pack("[ss]", settings->calls[i].rule, settings->calls[i].name));
    json_dumpf(calls, f, JSON_COMPACT | JSON_ENSURE_ASCII);
    fputc('\n', f);
    for (int i = s->base; i < s->paths->n; i++)
        fwrite(s->paths->list[i], 1, strlen(s->paths->list[i]) + 1, f);
    fclose(f);
    json_decref(calls);
    return text;
}

// It ended before it began a file.
static int absent(const struct helper_program *p, int status, struct error *err)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    const char *why = code == 127                ? p->no_interpreter
                      : code == HELPER_NO_PARSER ? p->no_parser
                                                 : "the helper did not start";
    error_set(err, STATUS_INTERNAL, ENOENT, "%s files were not checked: %s", p->language, why);
    error_hint(err, "%s", code == HELPER_NO_PARSER ? p->parser_hint : p->hint);
    return -ENOENT;
}

// One helper, from s->base to the end or to the file that ended it.
static int run_helper(struct session *s, const struct lint_settings *settings, struct error *err)
{
    struct helper h;
    size_t size;
    char *request = request_of(s, settings, &size);
    int rc = helper_start(&h, s->program, request, size, err);
    free(request);
    if (rc < 0)
        return rc;
    s->current = -1;
    s->used = 0;
    while (read_some(s, h.out))
        ;
    int status = helper_end(&h);
    if (s->over)
        return 0;
    if (s->current < 0)
        return absent(s->program, status, err);
    lint_skip(s->report, s->paths->list[s->current], "the parser gave up on it");
    s->base = s->current + 1;
    return 0;
}

int helper_check(const struct helper_program *program, struct lint_report *r,
                 const struct lint_paths *paths, const struct lint_settings *settings,
                 struct error *err)
{
    struct session s = {.program = program,
                        .report = r,
                        .paths = paths,
                        .size = LINE_MAX_,
                        .line = malloc(LINE_MAX_)};
    int rc = s.line ? 0 : error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    while (rc == 0 && !s.over && s.base < paths->n)
        rc = run_helper(&s, settings, err);
    free(s.line);
    return rc;
}
