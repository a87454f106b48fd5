// The link to run time: which findings blocked in a recording.
//
// A recording knows files as the program did: absolute, or from the folder it was started in; and the
// program may have run on another machine. Where the recording holds the very path, that alone counts;
// else the shorter of both paths must be the end of the other.
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lint.h"

struct file {
    const char *given;
    char real[PATH_MAX];
    bool exact; // the recording holds this path
};

static const char *without_scheme(const char *path)
{
    return strncmp(path, "file://", 7) ? path : path + 7;
}

// Past "./" and "../": what both sides can have in common.
static const char *named_part(const char *path)
{
    while (!strncmp(path, "./", 2) || !strncmp(path, "../", 3) || *path == '/')
        path += *path == '/' ? 1 : strcspn(path, "/") + 1;
    return path;
}

static bool is_end_of(const char *end, const char *path)
{
    size_t n = strlen(end), m = strlen(path);
    return n > 0 && n <= m && !strcmp(path + m - n, end) && (n == m || path[m - n - 1] == '/');
}

static bool is_same_file(const struct file *f, const char *recorded)
{
    recorded = without_scheme(recorded);
    if (f->exact)
        return !strcmp(recorded, f->real);
    const char *a = named_part(f->given), *b = named_part(recorded);
    return is_end_of(a, b) || is_end_of(b, a);
}

static bool names(const struct stack *st, const struct file *file, const struct lint_finding *f)
{
    int end = f->end_line > f->line ? f->end_line : f->line;
    for (int i = 0; st && i < st->nframes; i++) {
        const struct frame *frame = &st->frames[i];
        if (frame->file && frame->line >= f->line && frame->line <= end &&
            is_same_file(file, frame->file))
            return true;
    }
    return false;
}

static const struct stack *stack_of(const struct finding *found, int occurrence)
{
    const struct stack *own = found->occurrences[occurrence].stack;
    return own ? own : found->stack;
}

static bool holds_path(const struct snap *s, const char *path)
{
    for (int i = 0; i < s->nfindings; i++)
        for (int k = 0; k < s->findings[i].noccurrences; k++) {
            const struct stack *st = stack_of(&s->findings[i], k);
            for (int n = 0; st && n < st->nframes; n++)
                if (st->frames[n].file && !strcmp(without_scheme(st->frames[n].file), path))
                    return true;
        }
    return false;
}

static struct file file_of(const struct snap *s, const char *given)
{
    struct file f = {.given = given};
    f.exact = realpath(given, f.real) && holds_path(s, f.real);
    return f;
}

// What lasts of a stall; loop-hung is told beside another finding of the same one.
static bool is_stall(const struct finding *found)
{
    return !strncmp(found->rule, "loop-", 5) && strcmp(found->rule, "loop-hung") != 0;
}

// Of the occurrences that are kept with their stacks: at least this long.
static double blocked_ms(const struct snap *s, const struct file *file,
                         const struct lint_finding *f)
{
    double sum = NAN;
    for (int i = 0; i < s->nfindings; i++)
        for (int k = 0; is_stall(&s->findings[i]) && k < s->findings[i].noccurrences; k++) {
            int64_t ns = s->findings[i].occurrences[k].duration_ns;
            if (ns > 0 && names(stack_of(&s->findings[i], k), file, f))
                sum = (isnan(sum) ? 0 : sum) + (double)ns / 1e6;
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
    struct file file = {0};
    for (int i = 0; i < r->n; i++) { // those of one file stand together
        struct lint_finding *f = &r->findings[i];
        if (!file.given || strcmp(file.given, f->file) != 0)
            file = file_of(s, f->file);
        f->blocked_ms = blocked_ms(s, &file, f);
    }
    if (r->n > 1)
        qsort(r->findings, (size_t)r->n, sizeof(*r->findings), by_blocked);
}
