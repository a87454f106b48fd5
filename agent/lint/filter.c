// Which findings count: inline comments, --ignore, --baseline.
#include <errno.h>
#include <fnmatch.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"

// "loopscope: ignore" or "loopscope: ignore[rule, rule]" in a line.
static bool line_allows(const char *line, const char *rule)
{
    const char *at = strstr(line, "loopscope: ignore");
    if (!at)
        return false;
    at += strlen("loopscope: ignore");
    if (*at != '[')
        return true;
    const char *end = strchr(at, ']');
    size_t n = strlen(rule);
    for (at++; end && at < end; at += strcspn(at, ",]") + 1) {
        at += strspn(at, " ");
        if (!strncmp(at, rule, n) && strchr(" ,]", at[n]))
            return true;
    }
    return false;
}

static bool is_comment_only(const char *line)
{
    line += strspn(line, " \t");
    return *line == '#' || !strncmp(line, "//", 2) || !strncmp(line, "/*", 2);
}

// The line itself, or a comment that stands alone above it.
static bool source_allows(FILE *f, const struct lint_finding *finding)
{
    char *line = NULL, *above = NULL;
    size_t size = 0, above_size = 0;
    bool allows = false;
    rewind(f);
    for (int n = 1; n <= finding->line && getline(&line, &size, f) >= 0; n++) {
        if (n == finding->line)
            allows = line_allows(line, finding->rule) ||
                     (above && is_comment_only(above) && line_allows(above, finding->rule));
        char *swap = above;
        size_t swap_size = above_size;
        above = line;
        above_size = size;
        line = swap;
        size = swap_size;
    }
    free(line);
    free(above);
    return allows;
}

void lint_drop_allowed(struct lint_report *r)
{
    for (int i = r->n - 1; i >= 0; i--) {
        FILE *f = fopen(r->findings[i].file, "re");
        if (f && source_allows(f, &r->findings[i])) {
            lint_remove(r, i);
            r->allowed++;
        }
        if (f)
            fclose(f);
    }
}

static bool is_named(const struct lint_finding *f, const char *text)
{
    char rule[64];
    size_t n = strcspn(text, ":");
    snprintf(rule, sizeof(rule), "%.*s", (int)n, text);
    if (fnmatch(rule, f->rule, 0) != 0)
        return false;
    const char *glob = text[n] ? text + n + 1 : "*";
    return !fnmatch(glob, f->file, 0) || !fnmatch(glob, f->function, 0) ||
           !fnmatch(glob, f->about, 0) || !fnmatch(glob, f->message, 0);
}

void lint_drop_ignored(struct lint_report *r, const char *const *ignore, int n)
{
    for (int i = r->n - 1; i >= 0; i--)
        for (int k = 0; k < n; k++)
            if (is_named(&r->findings[i], ignore[k])) {
                lint_remove(r, i);
                r->ignored++;
                break;
            }
}

static bool is_same(json_t *old, const struct lint_finding *f)
{
    const char *keys[] = {"rule", "file", "function", "about"};
    const char *values[] = {f->rule, f->file, f->function, f->about};
    for (int i = 0; i < 4; i++) {
        const char *text = json_string_value(json_object_get(old, keys[i]));
        if (!text || strcmp(text, values[i]) != 0)
            return false;
    }
    return true;
}

// Each old finding excuses one new one, so that a second call of the same kind is new.
static void drop_known(struct lint_report *r, json_t *old)
{
    for (int i = 0; i < r->n;) {
        size_t k = 0, n = json_array_size(old);
        while (k < n && !is_same(json_array_get(old, k), &r->findings[i]))
            k++;
        if (k == n) {
            i++;
            continue;
        }
        json_array_remove(old, k);
        lint_remove(r, i);
        r->known++;
    }
}

int lint_drop_known(struct lint_report *r, const char *path, struct error *err)
{
    json_error_t why;
    json_t *root = json_load_file(path, 0, &why);
    const char *schema = json_string_value(json_object_get(root, "schema"));
    json_t *old = json_object_get(root, "findings");
    int rc = 0;
    if (!root || !schema || strcmp(schema, "loopscope-lint/1") != 0 || !json_is_array(old)) {
        rc = error_set(err, STATUS_USAGE, EINVAL, "%.200s is no baseline of lint", path);
        error_hint(err, "loopscope lint --json PATH > FILE writes one");
    } else {
        drop_known(r, old);
    }
    json_decref(root);
    return rc;
}
