// The tables: rules (named as those of the run time), languages, formats.
#include <string.h>

#include "lint.h"

const struct lint_rule lint_rules[] = {
    {"loop-sync-io", SEV_WARNING, "a blocking call that an asynchronous function reaches"},
    {"loop-sync-log", SEV_WARNING, "a log or terminal written on the loop"},
    {"loop-cpu", SEV_WARNING, "long computing on the loop"},
    {"loop-lock", SEV_WARNING, "the loop waits for a thread"},
    {"task-never-awaited", SEV_WARNING, "a coroutine or task that nobody awaits"},
    {"task-error-unread", SEV_WARNING, "a task dropped, so that nobody reads its error"},
    {"task-timeout-runs-on", SEV_WARNING, "a timeout whose work goes on"},
    {"task-unbounded", SEV_WARNING, "a task for each item of an input, without a limit"},
    {"task-cancel-leak", SEV_WARNING, "something stays taken when the task is cancelled"},
    {"task-cancel-ignored", SEV_WARNING, "a cancel is caught and the work goes on"},
    {"fd-orphan", SEV_WARNING, "a descriptor left open on an early way out"},
    {"thread-unsafe", SEV_WARNING, "the loop used from another thread"},
    {0},
};

const struct lint_language lint_languages[] = {
    {"Python", ".py", lint_check_python},
    {"JavaScript", ".js .mjs .cjs", lint_check_javascript},
#ifdef HAVE_LIBCLANG
    {"C", ".c", lint_check_c},
#endif
    {0},
};

const struct lint_format lint_formats[] = {
    {"text", "place, finding, the chain of calls, what to do", lint_write_text},
    {"json", "one document, loopscope-lint/1; also what --baseline reads", lint_write_json},
    {"sarif", "SARIF 2.1.0, for code review", lint_write_sarif},
    {"junit", "JUnit XML for a CI system", lint_write_junit},
    {0},
};

const struct lint_rule *lint_rule_find(const char *id)
{
    for (const struct lint_rule *r = lint_rules; r->id; r++)
        if (!strcmp(r->id, id))
            return r;
    return NULL;
}

const struct lint_format *lint_format_find(const char *name)
{
    for (const struct lint_format *f = lint_formats; f->name; f++)
        if (!strcmp(f->name, name))
            return f;
    return NULL;
}
