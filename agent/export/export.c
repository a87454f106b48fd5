// The table of formats: one line each.
#include "export.h"

#include <errno.h>
#include <string.h>

#include "doc.h"

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
    {"json", "application/json", "everything; --json-schema describes it", false, export_json},
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
