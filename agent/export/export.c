// The table of formats: one line each.
#include "export.h"

#include <errno.h>
#include <string.h>

#include "doc.h"
#include "formats.h"

int export_json(const struct snap *s, const struct export_opts *o, FILE *out)
{
    struct json j = json_begin(out);
    j.pretty = true;
    j.pretty_depth = 2;
    json_document(&j, NULL, s, o);
    fputc('\n', out);
    return ferror(out) ? -EIO : 0;
}

const struct export_format export_formats[] = {
    {"text", "text/plain; charset=utf-8", "to read and to paste", false, export_text},
    {"markdown", "text/markdown; charset=utf-8", "for an issue or a chat", false, export_markdown},
    {"json", "application/json", "everything; --json-schema describes it", false, export_json},
    {"html", "text/html; charset=utf-8", "one page to send", false, export_html},
    {"folded", "text/plain; charset=utf-8", "blocked time by stack, for flame graphs", false,
     export_folded},
    {"pprof", "application/octet-stream", "blocked time by stack, for go tool pprof", true,
     export_pprof},
    {"pprof-fds", "application/octet-stream", "descriptors by opening stack", true,
     export_pprof_fds},
    {"pprof-tasks", "application/octet-stream", "tasks by await chain", true, export_pprof_tasks},
    {"trace", "application/json", "Chrome's trace format, for Perfetto", false, export_trace},
    {"speedscope", "application/json", "blocked time by stack, for speedscope", false,
     export_speedscope},
    {"openmetrics", "application/openmetrics-text; version=1.0.0; charset=utf-8",
     "figures for a monitoring system", false, export_openmetrics},
    {"prometheus", "text/plain; version=0.0.4; charset=utf-8", "the same, older format", false,
     export_prometheus},
    {"junit", "application/xml", "for a pipeline", false, export_junit},
    {0},
};

const struct export_format *export_find(const char *name)
{
    for (const struct export_format *f = export_formats; f->name; f++)
        if (!strcmp(f->name, name))
            return f;
    return NULL;
}

const struct finding *find_finding(const struct snap *s, const char *id)
{
    for (int i = 0; id && i < s->nfindings; i++)
        if (s->findings[i].id && !strcmp(s->findings[i].id, id))
            return &s->findings[i];
    return NULL;
}
