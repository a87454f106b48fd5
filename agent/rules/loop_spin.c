#include <stdio.h>

#include "engine.h"

static const struct rule_key keys[] = {
    {"warn", "per_s", 10000, "ours: polls that return at once without work"},
    {"after", "ns", 5 * SECOND, "ours"},
};

static const char *const remedy[] = {
    "a descriptor is always ready and nobody reads, writes or closes it: handle its event or stop "
    "watching it",
    "look for a level-triggered EPOLLHUP or EPOLLOUT, or a timer of zero that re-arms itself",
    NULL,
};

static void report(struct rules *r, const struct rule *rule, const struct snap_loop *l, double rate)
{
    char span[32], fd[48] = "";
    text_ns(l->window.window_ns, span, sizeof(span));
    if (l->window.hot_fd != SNAP_UNKNOWN)
        snprintf(fd, sizeof(fd), " (fd %lld is always ready)", (long long)l->window.hot_fd);
    struct draft *d = draft_new(r, rule, l->pid, l->tid, "");
    d->f.stack = snap_hold(d->box, l->window.busy_stack);
    draft_title(d, "loop spins: %.0f polls a second return at once without progress%s", rate, fd);
    draft_evidence(d, "polls", "per_s", rate, "%.0f empty polls a second over %s%s", rate, span,
                   fd);
    draft_report(r, d);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    for (int i = 0; i < now->nloops; i++) {
        const struct snap_loop *l = &now->loops[i];
        if (!l->judged)
            continue;
        if (l->window.polls_empty == SNAP_UNKNOWN) {
            rules_not_judged(r, rule, "polls that return at once are not seen by this backend");
            continue;
        }
        if (l->window.window_ns < rules_ns(r, rule, "after"))
            continue;
        double rate = (double)l->window.polls_empty * 1e9 / (double)l->window.window_ns;
        if (rate >= rules_value(r, rule, "warn"))
            report(r, rule, l, rate);
    }
}

const struct rule rule_loop_spin = {
    .id = "loop-spin",
    .meaning = "polls return at once without progress",
    .evidence = "polls a second, the descriptor that is always ready",
    .severity = SEV_WARNING,
    .nkeys = 2,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
