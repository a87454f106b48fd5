// JUnit XML: a case a rule, a failure a finding.
#include <string.h>

#include "../export/clean.h"
#include "lint.h"

static void put_xml(FILE *out, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        uint32_t c;
        char bytes[4];
        i += utf8_next(text + i, n - i, &c);
        if (strchr("<>&\"'", (int)(c < 128 ? c : ' ')) && c)
            fprintf(out, "&#%d;", (int)c);
        else if (is_unsafe(c) || (c & 0xfffe) == 0xfffe)
            fputc('?', out);
        else
            fwrite(bytes, 1, utf8_put(c, bytes), out);
    }
}

static void put_finding(const struct lint_finding *f, bool fails, FILE *out)
{
    fputs(fails ? "    <failure message=\"" : "    <system-out>", out);
    if (fails) {
        put_xml(out, f->message);
        fprintf(out, "\" type=\"%s\">", severity_name(f->severity));
    }
    put_xml(out, f->file);
    fprintf(out, ":%d:%d: ", f->line, f->column);
    put_xml(out, f->message);
    fputs(". ", out);
    put_xml(out, f->remedy);
    fputs(fails ? "</failure>\n" : "</system-out>\n", out);
}

static bool fails(const struct lint_finding *f, const struct lint_style *style)
{
    return (int)f->severity >= style->fail_on;
}

static int put_case(const struct lint_report *r, const struct lint_style *style, const char *rule,
                    FILE *out)
{
    int failures = 0;
    if (out)
        fprintf(out, "  <testcase classname=\"loopscope lint\" name=\"%s\" time=\"0\">\n", rule);
    for (int pass = 0; pass < 2; pass++) // failures before system-out, as the schema orders them
        for (int i = 0; i < r->n; i++) {
            const struct lint_finding *f = &r->findings[i];
            if (strcmp(f->rule, rule) != 0 || fails(f, style) != (pass == 0))
                continue;
            failures += pass == 0;
            if (out)
                put_finding(f, pass == 0, out);
        }
    if (out)
        fputs("  </testcase>\n", out);
    return failures > 0;
}

void lint_write_junit(const struct lint_report *r, const struct lint_style *style, FILE *out)
{
    int cases = 0, failed = 0;
    for (; lint_rules[cases].id; cases++)
        failed += put_case(r, style, lint_rules[cases].id, NULL);
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuite name=\"loopscope lint\" tests=\"%d\" failures=\"%d\" errors=\"0\" "
            "skipped=\"0\" time=\"0\">\n",
            cases, failed);
    for (int i = 0; i < cases; i++)
        put_case(r, style, lint_rules[i].id, out);
    fputs("</testsuite>\n", out);
}
