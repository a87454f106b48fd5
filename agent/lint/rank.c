// The link to run time: which findings blocked in a recording.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../export/human.h"
#include "lint.h"

// A recording knows files as the program did (absolute, or from its own folder): the base name and
// the line decide.
static bool is_place(const struct lint_finding *f, const struct frame *frame)
{
    if (!frame->file || frame->line != f->line)
        return false;
    return !strcmp(base_name(frame->file), base_name(f->file));
}

static bool names(const struct stack *st, const struct lint_finding *f)
{
    for (int i = 0; st && i < st->nframes; i++)
        if (is_place(f, &st->frames[i]))
            return true;
    return false;
}

// Of the occurrences that are kept with their stacks: at least this long.
static double blocked_ms(const struct snap *s, const struct lint_finding *f)
{
    double sum = NAN;
    for (int i = 0; i < s->nfindings; i++) {
        const struct finding *found = &s->findings[i];
        for (int k = 0; k < found->noccurrences; k++) {
            const struct occurrence *o = &found->occurrences[k];
            if (o->duration_ns > 0 && names(o->stack ? o->stack : found->stack, f))
                sum = (isnan(sum) ? 0 : sum) + (double)o->duration_ns / 1e6;
        }
    }
    return sum;
}

static int by_blocked(const void *a, const void *b)
{
    const struct lint_finding *x = a, *y = b;
    double p = isnan(x->blocked_ms) ? -1 : x->blocked_ms;
    double q = isnan(y->blocked_ms) ? -1 : y->blocked_ms;
    if (p != q)
        return p < q ? 1 : -1;
    int d = strcmp(x->file, y->file);
    return d ? d : (x->line > y->line) - (x->line < y->line);
}

void lint_rank(struct lint_report *r, const struct snap *s)
{
    for (int i = 0; i < r->n; i++)
        r->findings[i].blocked_ms = blocked_ms(s, &r->findings[i]);
    if (r->n > 1)
        qsort(r->findings, (size_t)r->n, sizeof(*r->findings), by_blocked);
}
