// The list of findings and of files left out.
#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "filter.h"

void lint_add(struct lint_report *r, const struct lint_finding *f)
{
    list_must_have_room(r->findings, r->n, r->room);
    r->findings[r->n++] = *f;
}

void lint_skip(struct lint_report *r, const char *file, const char *why)
{
    list_must_have_room(r->skipped, r->nskipped, r->skipped_room);
    char *kept_file = strdup(file), *kept_why = strdup(why);
    if (!kept_file || !kept_why)
        abort();
    r->skipped[r->nskipped++] = (struct lint_skipped){kept_file, kept_why};
}

static void finding_finish(struct lint_finding *f)
{
    for (int i = 0; i < f->nchain; i++)
        free(f->chain[i].function);
    free(f->chain);
    free(f->file);
    free(f->function);
    free(f->message);
    free(f->remedy);
    free(f->about);
}

void lint_report_finish(struct lint_report *r)
{
    for (int i = 0; i < r->n; i++)
        finding_finish(&r->findings[i]);
    for (int i = 0; i < r->nskipped; i++) {
        free(r->skipped[i].file);
        free(r->skipped[i].why);
    }
    free(r->findings);
    free(r->skipped);
    *r = (struct lint_report){0};
}

void lint_remove(struct lint_report *r, int i)
{
    finding_finish(&r->findings[i]);
    r->n--;
    memmove(&r->findings[i], &r->findings[i + 1], (size_t)(r->n - i) * sizeof(*r->findings));
}

static int by_place(const void *a, const void *b)
{
    const struct lint_finding *x = a, *y = b;
    int d = strcmp(x->file, y->file);
    d = d ? d : (x->line > y->line) - (x->line < y->line);
    d = d ? d : (x->column > y->column) - (x->column < y->column);
    return d ? d : strcmp(x->rule, y->rule);
}

void lint_sort(struct lint_report *r)
{
    if (r->n > 1)
        qsort(r->findings, (size_t)r->n, sizeof(*r->findings), by_place);
}
