#include <math.h>

#include "engine.h"

static const struct rule_key keys[] = {
    {"warn", "count", 1, "ours"},
    {"after", "ns", 60 * SECOND, "ours", true},
};

static const char *const remedy[] = {
    "close the socket when a read returns 0 (end, 'end' and 'close' events, b'' of reader.read())",
    "read from idle connections too, or set a timeout on them: who never reads never learns of the "
    "end",
    NULL,
};

struct waiting { // of one process
    int64_t count, oldest_ns, unread;
    const struct snap_fd_site *worst;
};

static struct waiting collect(const struct snap *now, int pid)
{
    struct waiting w = {0};
    for (int i = 0; i < now->nfds; i++) {
        const struct snap_fd_site *s = &now->fds[i];
        if (s->pid != pid || s->close_wait <= 0)
            continue;
        w.count += s->close_wait;
        w.unread += s->close_wait_unread > 0 ? s->close_wait_unread : 0;
        if (!w.worst || s->close_wait_oldest_ns > w.oldest_ns) {
            w.worst = s;
            w.oldest_ns = s->close_wait_oldest_ns;
        }
    }
    return w;
}

static void report(struct rules *r, const struct rule *rule, int pid, const struct waiting *w)
{
    char age[32];
    const struct snap_fd_site *s = w->worst;
    struct draft *d = draft_new(r, rule, pid, 0, "");
    text_ns(w->oldest_ns, age, sizeof(age));
    draft_title(d, "%lld socket%s whose peer has closed %s still open here, for up to %s",
                (long long)w->count, w->count == 1 ? "" : "s", w->count == 1 ? "is" : "are", age);
    draft_evidence(d, "sockets", "count", (double)w->count, "%lld in CLOSE_WAIT",
                   (long long)w->count);
    draft_evidence(d, "unread", "bytes", (double)w->unread, "%lld bytes in them were never read",
                   (long long)w->unread);
    draft_evidence(d, "oldest", "ns", (double)w->oldest_ns, "for at least %s", age);
    if (s->examples)
        draft_evidence(d, "peers", "", NAN, "among them %s", s->examples);
    if (s->note)
        draft_evidence(d, "note", "", NAN, "%s", s->note);
    d->f.stack = snap_hold(d->box, s->stack);
    d->f.duration_ns = w->oldest_ns;
    d->f.duration_is_lower_bound = true;
    draft_report(r, d);
}

static void check(struct rules *r, const struct rule *rule, const struct snap *now)
{
    for (int i = 0; i < now->nprocesses; i++) {
        struct waiting w = collect(now, now->processes[i].pid);
        if (w.count > 0 && (double)w.count >= rules_value(r, rule, "warn") &&
            w.oldest_ns >= rules_ns(r, rule, "after"))
            report(r, rule, now->processes[i].pid, &w);
    }
}

const struct rule rule_fd_close_wait = {
    .id = "fd-close-wait",
    .meaning = "the peer closed, we did not",
    .evidence = "sockets, unread bytes, age",
    .severity = SEV_WARNING,
    .nkeys = 2,
    .keys = keys,
    .remedy = remedy,
    .check = check,
};
