#include "sums.h"

#include <stdio.h>
#include <string.h>

bool sums_explain(const struct snap_stall *s, int64_t spent_ns)
{
    return spent_ns >= s->threshold_ns || 2 * spent_ns >= s->duration_ns;
}

static const struct snap_loop *loop_of(const struct snap *now, int tid)
{
    for (int i = 0; i < now->nloops; i++)
        if (now->loops[i].tid == tid)
            return &now->loops[i];
    return NULL;
}

struct sum {
    int64_t calls, total_ns, max_ns;
    const struct snap_calls *worst;
};

// All calls of the loop that have the same culprit; without one, the same call on the same thing.
static void culprit_of(const struct snap_calls *c, char *buf, size_t size)
{
    if (text_culprit_key(c->stack, buf, size)[0])
        return;
    snprintf(buf, size, "%s", c->cause.syscall ? c->cause.syscall : "");
}

// What stalls of the same call took is told by their own findings.
static void subtract_stalls(const struct rules *r, const struct snap_calls *c, int64_t window,
                            struct sum *sum)
{
    for (const struct known *k = r->list; k && c->max_ns >= r->now->threshold_ns; k = k->next) {
        for (int i = 0; k->f.tid == c->tid && k->rule != &rule_loop_hung && i < k->f.noccurrences;
             i++) {
            const struct occurrence *o = &k->f.occurrences[i];
            if (o->at_ns + o->duration_ns < r->now->now_ns - window - SECOND)
                break;
            if (!o->cause.syscall || !c->cause.syscall ||
                strcmp(o->cause.syscall, c->cause.syscall) != 0)
                continue;
            sum->total_ns -= o->duration_ns;
            sum->calls--;
        }
    }
}

static struct sum add_up(const struct snap *now, int from, const char *culprit,
                         bool (*is_ours)(const struct cause *c), bool *taken)
{
    struct sum sum = {0};
    char other[CULPRIT_TEXT];
    const struct snap_calls *first = &now->calls[from];
    for (int i = from; i < now->ncalls; i++) {
        const struct snap_calls *c = &now->calls[i];
        if (taken[i] || c->tid != first->tid || !is_ours(&c->cause))
            continue;
        culprit_of(c, other, sizeof(other));
        if (strcmp(other, culprit) != 0)
            continue;
        taken[i] = true;
        sum.calls += c->calls;
        sum.total_ns += c->total_ns;
        if (c->max_ns > sum.max_ns)
            sum.max_ns = c->max_ns;
        if (!sum.worst || c->total_ns > sum.worst->total_ns)
            sum.worst = c;
    }
    return sum;
}

static void report(struct rules *r, const struct rule *rule, const struct sum *sum,
                   const char *culprit, const char *what)
{
    const struct snap_calls *c = sum->worst;
    int64_t window = rules_ns(r, rule, "window");
    double share = (double)sum->total_ns / (double)window;
    char doing[1000], total[32], longest[32], span[32];
    struct known *k = rules_find(r, rule, c->pid, c->tid, culprit);
    if (k && k->f.open && k->stall) {
        k->held_ns = r->now->now_ns; // its stalls have said more
        return;
    }
    struct draft *d = draft_new(r, rule, c->pid, c->tid, culprit);
    draft_cause(d, &c->cause, c->stack);
    d->f.cause.ratio = share;
    d->f.captured_during = c->stack != NULL;
    draft_title(d, "%lld short %s take %.0f %% of the loop's time: %s", (long long)sum->calls, what,
                share * 100, text_doing(&c->cause, c->stack, doing, sizeof(doing)));
    draft_evidence(d, "share", "ratio", share, "%s in %lld calls within %s, %.1f %% of the time",
                   text_ns(sum->total_ns, total, sizeof(total)), (long long)sum->calls,
                   text_ns(window, span, sizeof(span)), share * 100);
    draft_evidence(d, "longest", "ns", (double)sum->max_ns, "the longest took %s",
                   text_ns(sum->max_ns, longest, sizeof(longest)));
    draft_report(r, d);
}

void sums_judge(struct rules *r, const struct rule *rule, const struct snap *now,
                bool (*is_ours)(const struct cause *c), const char *what)
{
    char culprit[CULPRIT_TEXT];
    bool *taken = snap_alloc(r->now, (size_t)now->ncalls + 1);
    double limit = rules_value(r, rule, "share") * rules_value(r, rule, "window");
    for (int i = 0; i < now->ncalls; i++) {
        const struct snap_calls *c = &now->calls[i];
        const struct snap_loop *loop = loop_of(now, c->tid);
        if (taken[i] || !is_ours(&c->cause) || !loop || loop->judged_ns < WARM_UP_NS)
            continue;
        culprit_of(c, culprit, sizeof(culprit));
        struct sum sum = add_up(now, i, culprit, is_ours, taken);
        subtract_stalls(r, c, rules_ns(r, rule, "window"), &sum);
        if (sum.worst && (double)sum.total_ns >= limit &&
            (double)sum.calls >= rules_value(r, rule, "min"))
            report(r, rule, &sum, culprit, what);
    }
}
