// Checks source for the pitfalls that the other commands find in running programs.
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "collect.h"
#include "export/clean.h"
#include "lint/lint.h"

#define LANGUAGES 8

static int fail(const struct error *err)
{
    cli_error(err);
    return err->status;
}

// RULE.call=NAME of -o and -c; numbers are for the run-time rules and may stand in the same file.
static int read_settings(const struct opts *opts, struct lint_settings *ret, struct error *err)
{
    ret->calls = calloc((size_t)opts->nsettings + 1, sizeof(*ret->calls));
    if (!ret->calls)
        abort();
    for (int i = 0; i < opts->nsettings; i++) {
        const char *text = opts->settings[i], *key = strstr(text, ".call=");
        if (!key)
            continue;
        struct lint_call *c = &ret->calls[ret->ncalls++];
        snprintf(c->rule, sizeof(c->rule), "%.*s", (int)(key - text), text);
        c->name = key + strlen(".call=");
        if (!lint_rule_find(c->rule) || strncmp(c->rule, "loop-", 5) != 0)
            return error_set(err, STATUS_USAGE, EINVAL,
                             "%.100s: calls belong to loop-sync-io, loop-cpu or loop-lock", text);
    }
    return 0;
}

static int check_ignore(const struct opts *opts, struct error *err)
{
    for (int i = 0; i < opts->nignore; i++) {
        char rule[64];
        snprintf(rule, sizeof(rule), "%.*s", (int)strcspn(opts->ignore[i], ":"), opts->ignore[i]);
        bool known = false;
        for (const struct lint_rule *r = lint_rules; r->id; r++)
            known |= fnmatch(rule, r->id, 0) == 0;
        if (!known)
            return error_set(err, STATUS_USAGE, EINVAL, "--ignore: lint has no rule '%s'", rule);
    }
    return 0;
}

static int choose_format(const struct opts *opts, const struct lint_format **ret, struct error *err)
{
    *ret = lint_format_find(opts->json ? "json" : opts->format ? opts->format : "text");
    if (*ret)
        return 0;
    error_set(err, STATUS_USAGE, EINVAL, "lint has no format '%.40s'", opts->format);
    error_hint(err, "text, json, sarif or junit");
    return -EINVAL;
}

// A language that cannot be checked at all is told, and fails only when nothing else was checked.
static void check_languages(struct lint_report *r, const struct lint_paths *paths,
                            const struct lint_settings *settings, struct error *first)
{
    for (int i = 0; lint_languages[i].name; i++) {
        struct error err = {0};
        if (paths[i].n == 0 || lint_languages[i].check(r, &paths[i], settings, &err) == 0)
            continue;
        if (!first->text[0])
            *first = err;
        else
            cli_error(&err);
    }
}

static int rank(const struct opts *opts, struct lint_report *r)
{
    struct opts replay = opts_default();
    replay.target = TARGET_RECORDING;
    replay.text = opts->from;
    struct collect c = {.opts = &replay, .for_ns = FOREVER};
    int rc = collect_run(&c) < 0 || !c.last ? collect_failed(&c) : 0;
    if (rc == 0)
        lint_rank(r, c.last);
    collect_finish(&c);
    return rc;
}

static int write_report(const struct opts *opts, const struct lint_report *r,
                        const struct lint_format *format, struct error *err)
{
    struct export_opts o = export_opts_of(opts, 0);
    struct lint_style style = {o.color, o.ascii, o.width, opts->fail_on};
    FILE *out = opts->output ? fopen(opts->output, "we") : stdout;
    if (!out)
        return error_set(err, STATUS_USAGE, errno, "cannot write %.200s: %s", opts->output,
                         strerror(errno));
    style.color = style.color && out == stdout;
    format->write(r, &style, out);
    if (out != stdout && fclose(out) != 0)
        return error_set(err, STATUS_INTERNAL, errno, "cannot write %.200s: %s", opts->output,
                         strerror(errno));
    return 0;
}

static int status_of(const struct opts *opts, const struct lint_report *r)
{
    for (int i = 0; i < r->n; i++)
        if ((int)r->findings[i].severity >= opts->fail_on)
            return STATUS_FINDINGS;
    return r->files > 0 ? STATUS_CLEAN : STATUS_TOO_EARLY;
}

static void tell_skipped(const struct lint_report *r)
{
    for (int i = 0; i < r->nskipped; i++) {
        struct error err = {0};
        char file[400], why[200];
        error_set(&err, STATUS_CLEAN, 0, "%s: not checked: %s",
                  clean(r->skipped[i].file, 0, file, sizeof(file)),
                  clean(r->skipped[i].why, 0, why, sizeof(why)));
        cli_error(&err);
    }
}

static int judge(const struct opts *opts, struct lint_report *r, const struct lint_format *format,
                 struct error *err)
{
    lint_drop_allowed(r);
    lint_drop_ignored(r, opts->ignore, opts->nignore);
    lint_sort(r);
    if (opts->baseline && lint_drop_known(r, opts->baseline, err) < 0)
        return fail(err);
    if (opts->from) {
        int rc = rank(opts, r);
        if (rc)
            return rc;
    }
    tell_skipped(r);
    if (write_report(opts, r, format, err) < 0)
        return fail(err);
    return status_of(opts, r);
}

static int run(const struct opts *opts, struct lint_report *r, struct lint_paths *paths,
               struct lint_settings *settings)
{
    const struct lint_format *format;
    struct error err = {0};
    if (read_settings(opts, settings, &err) < 0 || check_ignore(opts, &err) < 0 ||
        choose_format(opts, &format, &err) < 0 ||
        lint_walk(opts->paths, opts->npaths, paths, r, &err) < 0)
        return fail(&err);
    check_languages(r, paths, settings, &err);
    if (err.text[0] && r->files == 0)
        return fail(&err);
    if (err.text[0])
        cli_error(&err);
    int status = judge(opts, r, format, &err);
    if (status == STATUS_TOO_EARLY) {
        error_set(&err, STATUS_TOO_EARLY, 0, "no file was checked");
        char languages[100] = "";
        for (int i = 0; lint_languages[i].name; i++) {
            size_t n = strlen(languages);
            snprintf(languages + n, sizeof(languages) - n, "%s%s", i ? ", " : "",
                     lint_languages[i].name);
        }
        error_hint(&err, "lint checks %s", languages);
        cli_error(&err);
    }
    return status;
}

int cmd_lint(const struct opts *opts)
{
    struct lint_report r = {0};
    struct lint_paths paths[LANGUAGES] = {0};
    struct lint_settings settings = {0};
    int status = run(opts, &r, paths, &settings);
    for (int i = 0; i < LANGUAGES; i++) {
        for (int k = 0; k < paths[i].n; k++)
            free(paths[i].list[k]);
        free(paths[i].list);
    }
    free(settings.calls);
    lint_report_finish(&r);
    return status;
}
