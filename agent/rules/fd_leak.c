// The cohort rule: what it looks at is gathered in target/fd_sites.c, whose essay says why.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cohort.h"
#include "engine.h"
#include "forecast.h"

static const struct rule_key keys[] = {
    {"share", "ratio", 0.02, "measured: at most so many of those that got old were closed"},
    {"min", "count", 5, "measured: survivors"},
    {"after", "ns", 1800 * SECOND, "measured: for a site that never closed anything", true},
    {"critical", "ns", 3600 * SECOND, "ours: the limit is reached sooner"},
};

static const char *const remedy[] = {
    "close it on every way out of the function that is named, the failing ones above all: "
    "try/finally, "
    "with, using, goto cleanup",
    "where another owns it by then, see that the owner closes it when it is done or cancelled",
    NULL,
};

static struct forecast forecast(const struct rules *r, const struct snap_fd_site *s,
                                const struct fd_cohort *c)
{
    const struct snap_process *p = snap_process_of(r->now, s->pid);
    bool known = p && p->fd_count != SNAP_UNKNOWN && p->fd_limit != SNAP_UNKNOWN;
    int64_t n = c->quarters[0] + c->quarters[1] + c->quarters[2] + c->quarters[3];
    int64_t watched = s->watched_ns - 2 * c->horizon_ns;
    double span = (double)(c->span_ns < watched ? c->span_ns : watched) / 1e9;
    return forecast_of(known ? (double)(p->fd_limit - p->fd_count) : NAN, (double)n, span);
}

static void put_ages(struct draft *d, const struct rules *r, const struct snap_fd_site *s)
{
    static const int seconds[FD_HORIZONS] = {30, 60, 120, 300, 600, 1200, 2400};
    char text[300] = "", age[32];
    size_t used = 0;
    for (int i = 0;
         i < s->ncohorts && i < FD_HORIZONS && s->cohorts[i].aged > 0 && used < sizeof(text); i++)
        used += (size_t)snprintf(
            text + used, sizeof(text) - used, "%s%lld over %s", i ? ", " : "",
            (long long)s->cohorts[i].aged,
            text_ns((int64_t)(seconds[i] * 1e9 * r->time_scale), age, sizeof(age)));
    if (text[0])
        draft_evidence(d, "ages", "", NAN, "of those open: %s", text);
}

static void put_counts(struct draft *d, const struct snap_fd_site *s, const struct fd_cohort *c)
{
    char horizon[32], oldest[32];
    text_ns(c->horizon_ns, horizon, sizeof(horizon));
    draft_evidence(d, "open", "count", (double)s->open, "%lld opened here, %lld closed, %lld open",
                   (long long)s->opened, (long long)s->closed, (long long)s->open);
    if (s->never_closed)
        draft_evidence(d, "cohort", "count", (double)c->survivors,
                       "not one was ever closed, and they keep coming");
    else
        draft_evidence(
            d, "cohort", "count", (double)c->survivors,
            "of those that lay unused for %s, %lld were closed later and %lld are still open",
            horizon, (long long)c->closed, (long long)c->survivors);
    draft_evidence(d, "oldest", "ns", (double)s->oldest_ns, "the oldest is open for %s",
                   text_ns(s->oldest_ns, oldest, sizeof(oldest)));
}

static void put_opener(struct draft *d, const struct snap_fd_site *s)
{
    const char *name = s->task.name ? s->task.name : "a task";
    if (!s->task.spawn_site || s->task_open == SNAP_UNKNOWN || s->task_open <= 0)
        return;
    draft_opener(d, &s->task);
    if (s->task.id)
        draft_evidence(d, "task", "count", (double)s->task_open,
                       "%lld of the open ones were opened by %s (task %s), spawned at %s",
                       (long long)s->task_open, name, s->task.id, s->task.spawn_site);
    else
        draft_evidence(d, "task", "count", (double)s->task_open,
                       "%lld of the open ones were opened by tasks spawned at %s (%s)",
                       (long long)s->task_open, s->task.spawn_site, name);
}

// "no line: accepted on X by the loop" and "accepted on X" are one place, told with and without a stack.
static const char *place_of(const char *note, char *buf, size_t size)
{
    static const char before[] = "no line: ", after[] = " by the loop";
    if (strncmp(note, before, sizeof(before) - 1) == 0)
        note += sizeof(before) - 1;
    snprintf(buf, size, "%s", note);
    size_t n = strlen(buf);
    if (n >= sizeof(after) && strcmp(buf + n - (sizeof(after) - 1), after) == 0)
        buf[n - (sizeof(after) - 1)] = '\0';
    return buf;
}

static void report(struct rules *r, const struct rule *rule, const struct snap_fd_site *s,
                   const struct fd_cohort *c)
{
    char key[CULPRIT_TEXT + 64], culprit[CULPRIT_TEXT], place[CULPRIT_TEXT];
    text_culprit(s->stack, culprit, sizeof(culprit));
    if (s->note && strncmp(s->note, "no line", 7) == 0)
        culprit[0] = '\0'; // the runtime's
    snprintf(key, sizeof(key), "%s|%.200s", s->kind ? s->kind : "",
             culprit[0] ? culprit
             : s->note  ? place_of(s->note, place, sizeof(place))
                        : "");
    struct known *known = rules_find(r, rule, s->pid, 0, key);
    if (known && known->f.open && known->f.stack && !s->stack) {
        // Told with its stack already, while openers were followed: it goes on.
        known->held_ns = known->f.last_seen_ns = r->now->now_ns;
        return;
    }
    struct draft *d = draft_new(r, rule, s->pid, 0, key);
    struct forecast f = forecast(r, s, c);
    if (f.known && f.expected * 1e9 < rules_value(r, rule, "critical"))
        d->f.severity = SEV_CRITICAL;
    if (culprit[0])
        draft_title(d, "%lld %s descriptors opened by %s are never closed", (long long)s->open,
                    s->kind, culprit);
    else
        draft_title(d, "%lld %s descriptors are never closed (%s)", (long long)s->open, s->kind,
                    s->note ? s->note : "opening stack not known");
    d->f.stack = snap_hold(d->box, s->stack);
    d->f.duration_ns = s->oldest_ns;
    put_counts(d, s, c);
    put_ages(d, r, s);
    if (f.rate > 0)
        draft_evidence(d, "growth", "per_s", f.rate, "%.2g more each %s",
                       f.rate >= 0.1 ? f.rate : f.rate * 60, f.rate >= 0.1 ? "second" : "minute");
    forecast_put(d, &f);
    put_opener(d, s);
    if (s->examples)
        draft_evidence(d, "examples", "", NAN, "among them %s", s->examples);
    if (s->note && culprit[0])
        draft_evidence(d, "note", "", NAN, "%s", s->note);
    if (!s->stack)
        d->f.confidence = 0.6;
    draft_report(r, d);
}

// What the table shows. Growing with too little seen yet is a suspicion.
static const char *verdict(const struct rules *r, const struct rule *rule,
                           const struct snap_fd_site *s, bool leak)
{
    if (leak)
        return "leak";
    double min = rules_value(r, rule, "min");
    if (cohort_leaking(s, rules_value(r, rule, "share"), min * 0.6) ||
        (s->never_closed && (double)s->open >= min && cohort_keeps_growing(s->sixths)))
        return "suspect";
    return cohort_seen_enough(s) ? "ok" : "unknown";
}

// A stack is known that leaks this kind: then what has none yet is no finding of its own.
static bool is_explained(const struct snap *now, const struct snap_fd_site *of)
{
    for (int i = 0; i < now->nfds && !of->stack; i++) {
        const struct snap_fd_site *s = &now->fds[i];
        if (s->stack && s->pid == of->pid && s->kind && of->kind &&
            strcmp(s->kind, of->kind) == 0 && s->verdict && strcmp(s->verdict, "leak") == 0)
            return true;
    }
    return false;
}

static void judge(struct rules *r, const struct rule *rule, struct snap_fd_site *s)
{
    const struct fd_cohort *c =
        cohort_leaking(s, rules_value(r, rule, "share"), rules_value(r, rule, "min"));
    // What a tracker will tell better needs the time of a site that never closed anything.
    bool vague = s->never_closed || (!s->stack && s->can_follow);
    bool leak = c && (!vague || (s->watched_ns >= rules_ns(r, rule, "after") &&
                                 cohort_keeps_growing(s->sixths)));
    bool explained = leak && is_explained(r->now, s);
    s->verdict = explained ? "suspect" : verdict(r, rule, s, leak);
    if (leak && !explained)
        report(r, rule, s, c);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    bool early = now->nfds > 0;
    // Those with a stack first. The verdict is ours to fill.
    for (int i = 0; i < 2 * now->nfds; i++) {
        struct snap_fd_site *s = &r->now->fds[i % now->nfds];
        if (s->is_handle || (s->stack != NULL) != (i < now->nfds))
            continue;
        early &= !cohort_seen_enough(s);
        judge(r, rule, s);
    }
    if (early)
        rules_not_judged(r, rule, "needs %.3g s of openings", 300 * r->time_scale);
}

const struct rule rule_fd_leak = {
    .id = "fd-leak",
    .meaning = "descriptors of one opening stack never close",
    .evidence = "opened, closed, survivors by age, growth, time to the limit, kinds and peers",
    .severity = SEV_WARNING,
    .nkeys = sizeof(keys) / sizeof(*keys),
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
