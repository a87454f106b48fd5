// libuv handles by the cohort rule of descriptors. Whether a handle is in use cannot be seen, so that those that
// live long and are needed count too: what tells a leak is that they are hardly ever closed and keep coming.
#include <math.h>
#include <stdio.h>

#include "cohort.h"

static const struct rule_key keys[] = {
    {"share", "ratio", 0.02, "as of fd-leak"},
    {"min", "count", 5, "as of fd-leak"},
    {"after", "ns", 1800 * SECOND, "as of fd-leak: for a site that never closed anything", true},
};

static const char *const remedy[] = {
    "uv_close it on every way out, and free its memory in the close callback only",
    "in Node: clearInterval, clearTimeout, socket.destroy(), watcher.close(), or unref where it "
    "may stay",
    NULL,
};

static void report(struct rules *r, const struct rule *rule, const struct snap_fd_site *s,
                   const struct fd_cohort *c)
{
    char key[CULPRIT_TEXT + 64], culprit[CULPRIT_TEXT], horizon[32];
    text_culprit(s->stack, culprit, sizeof(culprit));
    snprintf(key, sizeof(key), "%s|%s", s->kind, culprit);
    struct draft *d = draft_new(r, rule, s->pid, 0, key);
    draft_title(d, "%lld %s handles made by %s are never closed", (long long)s->open, s->kind,
                culprit[0] ? culprit : "the runtime");
    d->f.stack = snap_hold(d->box, s->stack);
    d->f.duration_ns = s->oldest_ns;
    draft_evidence(d, "open", "count", (double)s->open, "%lld made here, %lld closed, %lld open",
                   (long long)s->opened, (long long)s->closed, (long long)s->open);
    draft_evidence(d, "cohort", "count", (double)c->survivors,
                   "of those that got older than %s, %lld were closed and %lld are still open",
                   text_ns(c->horizon_ns, horizon, sizeof(horizon)), (long long)c->closed,
                   (long long)c->survivors);
    if (s->growth_per_s > 0)
        draft_evidence(d, "growth", "per_s", s->growth_per_s, "%.2g more each second",
                       s->growth_per_s);
    draft_report(r, d);
}

static void judge(struct rules *r, const struct rule *rule, struct snap_fd_site *s)
{
    const struct fd_cohort *c =
        cohort_leaking(s, rules_value(r, rule, "share"), rules_value(r, rule, "min"));
    bool leak = c && (!s->never_closed || (s->watched_ns >= rules_ns(r, rule, "after") &&
                                           cohort_keeps_growing(s->sixths)));
    s->verdict = leak ? "leak" : c ? "suspect" : cohort_seen_enough(s) ? "ok" : "unknown";
    if (leak)
        report(r, rule, s, c);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    bool any = false, early = true;
    for (int i = 0; i < now->nfds; i++) { // the verdict is ours to fill
        if (!now->fds[i].is_handle)
            continue;
        any = true;
        early &= !cohort_seen_enough(&now->fds[i]);
        judge(r, rule, &r->now->fds[i]);
    }
    if (!any)
        rules_not_judged(r, rule, "only with --handles, of programs on libuv");
    else if (early)
        rules_not_judged(r, rule, "needs %.3g s of handles", 300 * r->time_scale);
}

const struct rule rule_handle_leak = {
    .id = "handle-leak",
    .meaning = "libuv handles never closed",
    .evidence = "type, the stack that makes them, made, closed, open, growth",
    .severity = SEV_WARNING,
    .nkeys = sizeof(keys) / sizeof(*keys),
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
