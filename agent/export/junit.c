// JUnit XML for pipelines: suite = target, case = rule, failure = evidence, skipped = could not be judged.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "formats.h"
#include "json.h"

// XML 1.0 has no way to write most control characters: clean_print has replaced them before.
static void put_xml(FILE *out, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    for (size_t i = 0; i < n;) {
        uint32_t c;
        char bytes[4];
        i += utf8_next(text + i, n - i, &c);
        if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'')
            fprintf(out, "&#%d;", (int)c);
        else if (c == '\n')
            fputs("&#10;", out);
        else if (is_unsafe(c) || (c & 0xfffe) == 0xfffe)
            fputc('?', out);
        else
            fwrite(bytes, 1, utf8_put(c, bytes), out);
    }
}

static bool fails(const struct finding *f, const struct export_opts *o)
{
    return (int)f->severity >= o->fail_on && strcmp(f->rule, "self-degraded") != 0;
}

static void put_finding(const struct snap *s, const struct finding *f, const struct export_opts *o,
                        FILE *out)
{
    char *text;
    size_t size;
    FILE *f_text = open_memstream(&text, &size);
    if (!f_text)
        abort();
    struct export_opts plain = {.task_state = -1, .width = 100, .parts = o->parts};
    export_finding_text(s, f, &plain, f_text);
    fclose(f_text);
    const char *tag = fails(f, o) ? "failure" : "system-out";
    fprintf(out, "    <%s", tag);
    if (fails(f, o)) {
        fputs(" message=\"", out);
        put_xml(out, f->title);
        fprintf(out, "\" type=\"%s\"", severity_name(f->severity));
    }
    fputc('>', out);
    put_xml(out, text);
    fprintf(out, "</%s>\n", tag);
    free(text);
}

static const char *why_not_judged(const struct snap *s, const char *rule)
{
    for (int i = 0; i < s->nnot_judged; i++)
        if (!strcmp(s->not_judged[i].rule, rule))
            return s->not_judged[i].why ? s->not_judged[i].why : "";
    return NULL;
}

enum outcome { PASSED, FAILED, SKIPPED };

static enum outcome outcome_of(const struct snap *s, const struct export_opts *o, const char *rule)
{
    for (int i = 0; i < s->nfindings; i++)
        if (!strcmp(s->findings[i].rule, rule) && fails(&s->findings[i], o))
            return FAILED;
    return why_not_judged(s, rule) ? SKIPPED : PASSED;
}

static void put_case(const struct snap *s, const struct export_opts *o, const char *rule, FILE *out)
{
    fprintf(out, "  <testcase classname=\"loopscope\" name=\"%s\" time=\"%.3f\">\n", rule,
            (double)s->now_ns / 1e9);
    if (outcome_of(s, o, rule) == SKIPPED) {
        fputs("    <skipped message=\"", out);
        put_xml(out, why_not_judged(s, rule));
        fputs("\"/>\n", out);
    }
    for (int pass = 0; pass < 2; pass++) // failures before system-out, as the schema orders them
        for (int i = 0; i < s->nfindings; i++)
            if (!strcmp(s->findings[i].rule, rule) && fails(&s->findings[i], o) == (pass == 0))
                put_finding(s, &s->findings[i], o, out);
    fputs("  </testcase>\n", out);
}

// The rules of this program; without its list, those the snapshot speaks of.
static int rules_of(const struct snap *s, const struct export_opts *o, const char **ret, int max)
{
    int n = 0;
    for (int i = 0; o->rules && o->rules[i] && n < max; i++)
        ret[n++] = o->rules[i];
    int extra = s->nfindings + s->nnot_judged;
    for (int i = 0; i < extra && n < max; i++) {
        const char *rule =
            i < s->nfindings ? s->findings[i].rule : s->not_judged[i - s->nfindings].rule;
        int k = 0;
        while (k < n && strcmp(ret[k], rule) != 0)
            k++;
        if (k == n)
            ret[n++] = rule;
    }
    return n;
}

int export_junit(const struct snap *s, const struct export_opts *o, FILE *out)
{
    const char *rules[128];
    int n = rules_of(s, o, rules, 128), count[3] = {0};
    char when[48];
    for (int i = 0; i < n; i++)
        count[outcome_of(s, o, rules[i])]++;
    format_time(s->started_unix_ns, when);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"loopscope ", out);
    put_xml(out, s->source);
    fprintf(out,
            "\" tests=\"%d\" failures=\"%d\" errors=\"0\" skipped=\"%d\" time=\"%.3f\" "
            "timestamp=\"%.19s\">\n",
            n, count[FAILED], count[SKIPPED], (double)s->now_ns / 1e9, when);
    for (int i = 0; i < n; i++)
        put_case(s, o, rules[i], out);
    fputs("</testsuite>\n", out);
    return ferror(out) ? -EIO : 0;
}
