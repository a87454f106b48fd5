// The findings of a session: one for each (rule, subject, culprit), with a count and its newest occurrences.
// One that has not held for QUIET_NS closes and stays as history; the same thing later opens it again, under
// the same id. Snapshots get deep copies.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "engine.h"

struct known *rules_find(struct rules *r, const struct rule *rule, int pid, int tid,
                         const char *culprit)
{
    struct known *k;
    char *key = rules_key(rule, pid, tid, culprit);
    HASH_FIND_STR(r->by_key, key, k);
    free(key);
    return k;
}

// Events are few in a snapshot: one more costs a copy of the list.
void known_event(struct rules *r, struct known *k, enum snap_event_kind kind)
{
    struct snap *s = r->now;
    struct snap_event *grown = snap_alloc(s, sizeof(*grown) * (size_t)(s->nevents + 1));
    if (s->nevents)
        memcpy(grown, s->events, sizeof(*grown) * (size_t)s->nevents);
    grown[s->nevents++] = (struct snap_event){
        .kind = kind, .at_ns = s->now_ns, .pid = k->f.pid, .finding = snap_strdup(s, k->f.id)};
    s->events = grown;
}

void rules_not_judged(struct rules *r, const struct rule *rule, const char *fmt, ...)
{
    char why[256];
    struct snap *s = r->now;
    for (int i = 0; i < s->nnot_judged; i++)
        if (strcmp(s->not_judged[i].rule, rule->id) == 0)
            return; // the first reason stands
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    struct not_judged *grown = snap_alloc(s, sizeof(*grown) * (size_t)(s->nnot_judged + 1));
    if (s->nnot_judged)
        memcpy(grown, s->not_judged, sizeof(*grown) * (size_t)s->nnot_judged);
    grown[s->nnot_judged++] = (struct not_judged){rule->id, snap_strdup(s, why)};
    s->not_judged = grown;
}

static void copy_texts(struct snap *box, struct finding *to, const struct finding *from)
{
    struct finding copy;
    snap_copy_finding(box, &copy, from);
    to->id = copy.id;
    to->noccurrences = copy.noccurrences;
    to->occurrences = copy.occurrences;
    to->nrelated = copy.nrelated;
    to->related = copy.related;
}

// What has been counted stays; what is said of it is new.
static void keep_history(struct finding *to, const struct finding *from)
{
    to->first_seen_ns = from->first_seen_ns;
    to->count = from->count;
    to->suppressed = from->suppressed;
}

void known_renew(struct rules *r, struct known *k, struct draft *d)
{
    struct snap *old = k->box;
    copy_texts(d->box, &d->f, &k->f);
    keep_history(&d->f, &k->f);
    if (!snap_process_of(r->now, k->f.pid)) // it has ended: nobody knows its name any longer
        d->f.subject = snap_strdup(d->box, k->f.subject);
    if (k->f.open && k->f.severity > d->f.severity)
        d->f.severity = k->f.severity; // as bad as its worst occurrence
    d->f.open = true;
    k->box = d->box;
    k->f = d->f;
    k->held_ns = r->now->now_ns;
    snap_unref(old);
    free(d->key);
    free(d);
}

static struct known *open_new(struct rules *r, struct draft *d)
{
    struct known *k = calloc(1, sizeof(*k));
    if (!k)
        abort();
    k->rule = d->rule;
    k->key = d->key;
    k->box = d->box;
    k->f = d->f;
    k->f.id = snap_printf(k->box, "F%llu", (unsigned long long)++r->next_id);
    k->held_ns = r->now->now_ns;
    free(d);
    HASH_ADD_KEYPTR(hh, r->by_key, k->key, strlen(k->key), k);
    DL_APPEND(r->list, k);
    known_event(r, k, EVENT_OPEN);
    return k;
}

struct known *draft_report(struct rules *r, struct draft *d)
{
    struct known *k;
    HASH_FIND_STR(r->by_key, d->key, k);
    if (!k)
        return open_new(r, d);
    bool again = !k->f.open, worse = d->f.severity > k->f.severity;
    known_renew(r, k, d);
    k->f.last_seen_ns = r->now->now_ns;
    k->f.count += again;
    if (again)
        known_event(r, k, EVENT_OPEN);
    else if (worse)
        known_event(r, k, EVENT_UPDATE);
    return k;
}

static void known_free(struct rules *r, struct known *k)
{
    HASH_DEL(r->by_key, k);
    DL_DELETE(r->list, k);
    snap_unref(k->box);
    free(k->key);
    free(k);
}

void store_close_quiet(struct rules *r)
{
    struct known *k, *next;
    int closed = 0;
    DL_FOREACH (r->list, k) {
        if (k->f.open && r->now->now_ns - k->held_ns >= QUIET_NS) {
            k->f.open = k->f.still_open = false;
            known_event(r, k, EVENT_CLOSE);
        }
        closed += !k->f.open;
    }
    DL_FOREACH_SAFE(r->list, k, next)
    {
        if (closed <= HISTORY_MAX)
            break;
        if (k->f.open || k->held_ns == r->now->now_ns)
            continue;
        known_free(r, k);
        closed--;
    }
}

static int compare(const void *a, const void *b)
{
    const struct finding *x = &(*(struct known *const *)a)->f, *y = &(*(struct known *const *)b)->f;
    if (x->open != y->open)
        return y->open - x->open;
    if (x->severity != y->severity)
        return (int)y->severity - (int)x->severity;
    return (x->last_seen_ns < y->last_seen_ns) - (x->last_seen_ns > y->last_seen_ns);
}

void store_output(struct rules *r)
{
    struct snap *s = r->now;
    struct known *k;
    int n;
    DL_COUNT(r->list, k, n);
    struct known **order = snap_alloc(s, sizeof(*order) * (size_t)(n + 1));
    s->findings = snap_alloc(s, sizeof(*s->findings) * (size_t)(n + 1));
    DL_FOREACH (r->list, k)
        order[s->nfindings++] = k;
    qsort(order, (size_t)n, sizeof(*order), compare);
    for (int i = 0; i < n; i++)
        snap_copy_finding(s, &s->findings[i], &order[i]->f);
}

void store_free(struct rules *r)
{
    struct known *k, *next;
    DL_FOREACH_SAFE(r->list, k, next)
    known_free(r, k);
}
