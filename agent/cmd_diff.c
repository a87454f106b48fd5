// What got better and worse between two recordings. Counts are compared by the minute, since the two
// need not be of one length.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "collect.h"
#include "export/doc.h"
#include "export/json.h"
#include "export/names.h"
#include "export/text.h"
#include "filter.h"

#define GROWTH      1.5 // a rate that grew by less is noise
#define LEAST_COUNT 5

enum change { CHANGE_NEW, CHANGE_WORSE, CHANGE_SAME, CHANGE_BETTER, CHANGE_GONE };

struct pair {
    enum change change;
    const struct finding *a, *b; // NULL: not in it
    double rate_a, rate_b;       // a minute; NAN where not in it
};

struct comparison {
    struct collect a, b;
    struct opts opts_b;
    struct pair *pairs;
    int npairs;
};

static double rate_of(const struct finding *f, const struct snap *s)
{
    double minutes = (double)s->now_ns / 60e9;
    return f && minutes > 0 ? (double)f->count / minutes : NAN;
}

static enum change judge(const struct pair *p)
{
    if (!p->a)
        return CHANGE_NEW;
    if (!p->b)
        return CHANGE_GONE;
    if (p->b->severity != p->a->severity)
        return p->b->severity > p->a->severity ? CHANGE_WORSE : CHANGE_BETTER;
    if (p->b->count >= LEAST_COUNT && p->rate_b > p->rate_a * GROWTH)
        return CHANGE_WORSE;
    if (p->a->count >= LEAST_COUNT && p->rate_a > p->rate_b * GROWTH)
        return CHANGE_BETTER;
    return CHANGE_SAME;
}

static void add_pair(struct comparison *c, const struct finding *a, const struct finding *b)
{
    struct pair p = {
        .a = a, .b = b, .rate_a = rate_of(a, c->a.last), .rate_b = rate_of(b, c->b.last)};
    p.change = judge(&p);
    c->pairs[c->npairs++] = p;
}

static int by_change(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->change != y->change)
        return x->change < y->change ? -1 : 1;
    const struct finding *f = x->b ? x->b : x->a, *g = y->b ? y->b : y->a;
    return f->severity != g->severity ? (f->severity > g->severity ? -1 : 1) : 0;
}

static void compare(struct comparison *c)
{
    const struct snap *a = c->a.last, *b = c->b.last;
    c->pairs = calloc((size_t)(a->nfindings + b->nfindings) + 1, sizeof(*c->pairs));
    if (!c->pairs)
        abort();
    for (int i = 0; i < b->nfindings; i++)
        add_pair(c, find_same(a, &b->findings[i]), &b->findings[i]);
    for (int i = 0; i < a->nfindings; i++)
        if (!find_same(b, &a->findings[i]))
            add_pair(c, &a->findings[i], NULL);
    qsort(c->pairs, (size_t)c->npairs, sizeof(*c->pairs), by_change);
}

// An info that is new does not make B worse: by default check would not fail on it either.
static bool is_worse(const struct comparison *c)
{
    for (int i = 0; i < c->npairs; i++) {
        const struct pair *p = &c->pairs[i];
        if (p->change <= CHANGE_WORSE && p->b->severity >= SEV_WARNING &&
            strcmp(p->b->rule, "self-degraded") != 0)
            return true;
    }
    return false;
}

static const char *const change_names[] = {"new", "worse", "same", "better", "gone"};

static void print_rate(double per_minute)
{
    if (isnan(per_minute))
        fputs("-", stdout);
    else
        printf("%.3g", per_minute);
}

static void print_pair(const struct text *t, const struct pair *p)
{
    const struct finding *f = p->b ? p->b : p->a;
    enum ink colour = p->change <= CHANGE_WORSE  ? severity_ink(f->severity)
                      : p->change == CHANGE_SAME ? INK_DIM
                                                 : INK_GOOD;
    ink(t, colour);
    printf("%-7s", change_names[p->change]);
    ink(t, INK_NONE);
    printf("%s %s  ", severity_mark(f->severity), f->rule);
    clean_print(stdout, f->subject, t->o->ascii);
    fputs(": ", stdout);
    clean_print(stdout, f->title, t->o->ascii);
    fputs("  (", stdout);
    print_rate(p->rate_a);
    fputs(" -> ", stdout);
    print_rate(p->rate_b);
    puts(" a minute)");
}

static void print_loops(const struct snap *a, const struct snap *b)
{
    for (int i = 0; i < b->nloops; i++)
        for (int k = 0; k < a->nloops; k++) {
            const struct snap_loop *x = &a->loops[k], *y = &b->loops[i];
            if (!x->name || !y->name || strcmp(x->name, y->name) != 0)
                continue;
            printf("loop ");
            clean_print(stdout, y->name, false);
            printf(": p99 %s -> %s, longest %s -> %s, busy %s -> %s\n",
                   human_ns(x->lag_p99_ns).text, human_ns(y->lag_p99_ns).text,
                   human_ns(x->lag_max_ns).text, human_ns(y->lag_max_ns).text,
                   human_ratio(x->busy_ratio).text, human_ratio(y->busy_ratio).text);
            break;
        }
}

static void print_side(const struct text *t, const char *side, const struct opts *opts,
                       const struct snap *s)
{
    char when[48], watched[500];
    format_time(s->started_unix_ns, when);
    ink(t, INK_DIM);
    printf("%s  ", side);
    clean_print(stdout, opts->text, t->o->ascii);
    fputs(": ", stdout);
    clean_print(stdout, watched_name(s, watched, sizeof(watched)), t->o->ascii);
    printf(", %s from %.19sZ\n", human_ns(s->now_ns).text, when);
    ink(t, INK_NONE);
}

static void print_text(const struct comparison *c, const struct opts *opts)
{
    struct export_opts o = export_opts_of(opts, PART_ALL);
    struct text t = text_begin(stdout, &o);
    print_side(&t, "A", opts, c->a.last);
    print_side(&t, "B", &c->opts_b, c->b.last);
    if (c->npairs == 0)
        puts("no findings in either");
    for (int i = 0; i < c->npairs; i++)
        print_pair(&t, &c->pairs[i]);
    print_loops(c->a.last, c->b.last);
    puts(is_worse(c) ? "B is worse" : "B is not worse");
}

static void print_json(const struct comparison *c)
{
    struct json j = json_begin(stdout);
    j.pretty = true;
    j.pretty_depth = 2;
    json_put_object(&j, NULL);
    json_put_text(&j, "schema", "loopscope-diff/1");
    json_put_bool(&j, "worse", is_worse(c));
    json_put_array(&j, "changes");
    for (int i = 0; i < c->npairs; i++) {
        const struct pair *p = &c->pairs[i];
        json_put_object(&j, NULL);
        json_put_text(&j, "change", change_names[p->change]);
        json_put_real(&j, "rate_a_per_min", p->rate_a);
        json_put_real(&j, "rate_b_per_min", p->rate_b);
        if (p->a)
            json_finding(&j, "a", p->a);
        else
            json_put_null(&j, "a");
        if (p->b)
            json_finding(&j, "b", p->b);
        else
            json_put_null(&j, "b");
        json_end_object(&j);
    }
    json_end_array(&j);
    json_end_object(&j);
    putchar('\n');
}

static int load(struct collect *c, const struct opts *opts)
{
    *c = (struct collect){.opts = opts, .for_ns = FOREVER};
    int rc = collect_run(c);
    if (rc < 0 || c->err.text[0])
        return collect_failed(c);
    return c->last ? 0 : STATUS_TOO_EARLY;
}

int cmd_diff(const struct opts *opts)
{
    struct comparison c = {.opts_b = *opts};
    c.opts_b.text = opts->second;
    int status = load(&c.a, opts);
    if (status == 0)
        status = load(&c.b, &c.opts_b);
    if (status == 0) {
        compare(&c);
        if (opts->json)
            print_json(&c);
        else
            print_text(&c, opts);
        status = is_worse(&c) ? STATUS_FINDINGS : STATUS_CLEAN;
    }
    free(c.pairs);
    collect_finish(&c.a);
    collect_finish(&c.b);
    return status;
}
