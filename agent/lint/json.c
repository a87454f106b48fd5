// One document, loopscope-lint/1; it is also what --baseline reads.
#include "../export/json.h"
#include "lint.h"

static void put_chain(struct json *j, const struct lint_finding *f)
{
    json_put_array(j, "chain");
    for (int i = 0; i < f->nchain; i++) {
        json_put_object(j, NULL);
        json_put_text(j, "function", f->chain[i].function);
        json_put_int(j, "line", f->chain[i].line);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_finding(struct json *j, const struct lint_finding *f)
{
    json_put_object(j, NULL);
    json_put_text(j, "rule", f->rule);
    json_put_text(j, "severity", severity_name(f->severity));
    json_put_text(j, "file", f->file);
    json_put_int(j, "line", f->line);
    json_put_int(j, "column", f->column);
    json_put_int(j, "end_line", f->end_line > 0 ? f->end_line : SNAP_UNKNOWN);
    json_put_text(j, "function", f->function);
    json_put_text(j, "about", f->about);
    json_put_text(j, "message", f->message);
    json_put_text(j, "remedy", f->remedy);
    json_put_real(j, "blocked_ms", f->blocked_ms);
    put_chain(j, f);
    json_end_object(j);
}

static void put_skipped(struct json *j, const struct lint_report *r)
{
    json_put_array(j, "not_checked");
    for (int i = 0; i < r->nskipped; i++) {
        json_put_object(j, NULL);
        json_put_text(j, "file", r->skipped[i].file);
        json_put_text(j, "why", r->skipped[i].why);
        json_end_object(j);
    }
    json_end_array(j);
}

void lint_write_json(const struct lint_report *r, const struct lint_style *style, FILE *out)
{
    (void)style;
    struct json j = json_begin(out);
    j.pretty = true;
    j.pretty_depth = 2;
    json_put_object(&j, NULL);
    json_put_text(&j, "schema", "loopscope-lint/1");
    json_put_array(&j, "languages");
    for (int i = 0; lint_languages[i].name; i++)
        json_put_text(&j, NULL, lint_languages[i].name);
    json_end_array(&j);
    json_put_int(&j, "files", r->files);
    json_put_int(&j, "lines", r->lines);
    json_put_int(&j, "allowed", r->allowed);
    json_put_int(&j, "ignored", r->ignored);
    json_put_int(&j, "known", r->known);
    json_put_array(&j, "findings");
    for (int i = 0; i < r->n; i++)
        put_finding(&j, &r->findings[i]);
    json_end_array(&j);
    put_skipped(&j, r);
    json_end_object(&j);
    fputc('\n', out);
}
