// For people: place first, as editors jump to it, then the chain and what to do.
#include <math.h>

#include "../export/human.h"
#include "../export/text.h"
#include "lint.h"

static void write_chain(const struct text *t, const struct lint_finding *f)
{
    if (f->nchain == 0)
        return;
    ink(t, INK_DIM);
    fputs("    ", t->out);
    for (int i = 0; i < f->nchain; i++) {
        fputs(i ? " -> " : "reached by ", t->out);
        clean_print(t->out, f->chain[i].function, t->o->ascii);
        fprintf(t->out, " (line %d)", f->chain[i].line);
    }
    ink(t, INK_NONE);
    fputc('\n', t->out);
}

static void write_finding(const struct text *t, const struct lint_finding *f)
{
    ink(t, INK_BOLD);
    clean_print(t->out, f->file, t->o->ascii);
    fprintf(t->out, ":%d:%d:", f->line, f->column);
    ink(t, INK_NONE);
    fputc(' ', t->out);
    ink(t, severity_ink(f->severity));
    fputs(f->rule, t->out);
    ink(t, INK_NONE);
    fputs(": ", t->out);
    clean_print(t->out, f->message, t->o->ascii);
    fputs(" (in ", t->out);
    clean_print(t->out, f->function, t->o->ascii);
    fputs(")\n", t->out);
    write_chain(t, f);
    if (!isnan(f->blocked_ms))
        fprintf(t->out, "    it really blocked: %s in the recording\n",
                human_ns((int64_t)(f->blocked_ms * 1e6)).text);
    text_wrap(t, "    do: ", f->remedy);
}

static void write_count(FILE *out, int n, const char *what)
{
    if (n > 0)
        fprintf(out, ", %d %s", n, what);
}

void lint_write_text(const struct lint_report *r, const struct lint_style *style, FILE *out)
{
    struct export_opts o = {.color = style->color, .ascii = style->ascii, .width = style->width};
    struct text t = text_begin(out, &o);
    for (int i = 0; i < r->n; i++)
        write_finding(&t, &r->findings[i]);
    fprintf(out, "%s%d finding%s in %ld file%s, %s lines", r->n ? "\n" : "", r->n,
            r->n == 1 ? "" : "s", r->files, r->files == 1 ? "" : "s", human_count(r->lines).text);
    write_count(out, r->nskipped, "not checked");
    write_count(out, r->allowed, "allowed by comments");
    write_count(out, r->ignored, "ignored");
    write_count(out, r->known, "known");
    fputs("; checked:", out);
    for (int i = 0; lint_languages[i].name; i++)
        fprintf(out, "%s %s", i ? "," : "", lint_languages[i].name);
    fputc('\n', out);
}
