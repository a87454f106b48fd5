// SARIF 2.1.0, for code review.
#include <string.h>

#include "../export/json.h"
#include "lint.h"

static void put_message(struct json *j, const char *key, const char *text)
{
    json_put_object(j, key);
    json_put_text(j, "text", text);
    json_end_object(j);
}

static const char *level_of(enum severity s)
{
    return s == SEV_CRITICAL ? "error" : s == SEV_WARNING ? "warning" : "note";
}

static int index_of(const char *rule)
{
    int i = 0;
    while (strcmp(lint_rules[i].id, rule) != 0)
        i++;
    return i;
}

static void put_driver(struct json *j)
{
    json_put_object(j, "tool");
    json_put_object(j, "driver");
    json_put_text(j, "name", "loopscope lint");
    json_put_text(j, "version", LOOPSCOPE_VERSION);
    json_put_array(j, "rules");
    for (const struct lint_rule *r = lint_rules; r->id; r++) {
        json_put_object(j, NULL);
        json_put_text(j, "id", r->id);
        put_message(j, "shortDescription", r->meaning);
        json_put_object(j, "defaultConfiguration");
        json_put_text(j, "level", level_of(r->severity));
        json_end_object(j);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
    json_end_object(j);
}

// A URI reference: relative paths stay so, bytes that a URI cannot hold are escaped.
static void put_uri(struct json *j, const char *path)
{
    char uri[3 * 4096 + 8];
    size_t n = 0;
    if (*path == '/')
        n = (size_t)snprintf(uri, sizeof(uri), "file://");
    for (; *path && n + 4 < sizeof(uri); path++) {
        bool plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/",
                            *path) != NULL;
        if (plain)
            uri[n++] = *path;
        else
            n += (size_t)snprintf(uri + n, sizeof(uri) - n, "%%%02X", (unsigned char)*path);
    }
    uri[n] = '\0';
    json_put_object(j, "artifactLocation");
    json_put_text(j, "uri", uri);
    json_end_object(j);
}

static void put_place(struct json *j, const struct lint_finding *f, int line, int column,
                      int end_line)
{
    json_put_object(j, "physicalLocation");
    put_uri(j, f->file);
    json_put_object(j, "region");
    json_put_int(j, "startLine", line);
    if (column > 0)
        json_put_int(j, "startColumn", column);
    if (end_line > line)
        json_put_int(j, "endLine", end_line);
    json_end_object(j);
    json_end_object(j);
}

static void put_flow(struct json *j, const struct lint_finding *f)
{
    json_put_array(j, "codeFlows");
    json_put_object(j, NULL);
    json_put_array(j, "threadFlows");
    json_put_object(j, NULL);
    json_put_array(j, "locations");
    for (int i = 0; i <= f->nchain; i++) {
        bool last = i == f->nchain;
        json_put_object(j, NULL);
        json_put_object(j, "location");
        put_place(j, f, last ? f->line : f->chain[i].line, last ? f->column : 0,
                  last ? f->end_line : 0);
        put_message(j, "message", last ? f->about : f->chain[i].function);
        json_end_object(j);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
    json_end_array(j);
    json_end_object(j);
    json_end_array(j);
}

static void put_result(struct json *j, const struct lint_finding *f)
{
    char text[2048];
    snprintf(text, sizeof(text), "%s. %s", f->message, f->remedy);
    json_put_object(j, NULL);
    json_put_text(j, "ruleId", f->rule);
    json_put_int(j, "ruleIndex", index_of(f->rule));
    json_put_text(j, "level", level_of(f->severity));
    put_message(j, "message", text);
    json_put_array(j, "locations");
    json_put_object(j, NULL);
    put_place(j, f, f->line, f->column, f->end_line);
    json_end_object(j);
    json_end_array(j);
    if (f->nchain > 0)
        put_flow(j, f);
    json_end_object(j);
}

static void put_invocation(struct json *j, const struct lint_report *r)
{
    char text[1400];
    json_put_array(j, "invocations");
    json_put_object(j, NULL);
    json_put_bool(j, "executionSuccessful", true);
    json_put_array(j, "toolExecutionNotifications");
    for (int i = 0; i < r->nskipped; i++) {
        snprintf(text, sizeof(text), "%.1000s: %.300s", r->skipped[i].file, r->skipped[i].why);
        json_put_object(j, NULL);
        json_put_text(j, "level", "warning");
        put_message(j, "message", text);
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
    json_end_array(j);
}

void lint_write_sarif(const struct lint_report *r, const struct lint_style *style, FILE *out)
{
    (void)style;
    struct json j = json_begin(out);
    json_put_object(&j, NULL);
    json_put_text(&j, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    json_put_text(&j, "version", "2.1.0");
    json_put_array(&j, "runs");
    json_put_object(&j, NULL);
    put_driver(&j);
    put_invocation(&j, r);
    json_put_text(&j, "columnKind", "unicodeCodePoints");
    json_put_array(&j, "results");
    for (int i = 0; i < r->n; i++)
        put_result(&j, &r->findings[i]);
    json_end_array(&j);
    json_end_object(&j);
    json_end_array(&j);
    json_end_object(&j);
    fputc('\n', out);
}
