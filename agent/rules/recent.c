// How much a counter has grown within a rule's window: six readings of it are kept.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

#define STEPS 6

struct recent {
    UT_hash_handle hh;
    char *key;
    int64_t value[STEPS + 1], at_ns[STEPS + 1]; // newest first
    int n;
    int64_t last_ns;
};

static struct recent *recent_of(struct rules *r, const char *key)
{
    struct recent *c;
    HASH_FIND_STR(r->recent, key, c);
    if (c)
        return c;
    if (!(c = calloc(1, sizeof(*c))) || !(c->key = strdup(key)))
        abort();
    HASH_ADD_KEYPTR(hh, r->recent, c->key, strlen(c->key), c);
    return c;
}

int64_t rules_recent(struct rules *r, const struct rule *rule, int pid, const char *what,
                     const char *counter, int64_t value)
{
    char key[600];
    snprintf(key, sizeof(key), "%s/%d/%s/%s", rule->id, pid, counter, what ? what : "");
    struct recent *c = recent_of(r, key);
    int64_t now = r->now->now_ns, step = rules_ns(r, rule, "window") / STEPS;
    c->last_ns = now;
    if (c->n == 0 || now - c->at_ns[0] >= step) {
        memmove(c->value + 1, c->value, sizeof(*c->value) * STEPS);
        memmove(c->at_ns + 1, c->at_ns, sizeof(*c->at_ns) * STEPS);
        c->value[0] = value;
        c->at_ns[0] = now;
        c->n += c->n <= STEPS;
    }
    return value - c->value[c->n - 1];
}

void recent_forget(struct rules *r, bool all)
{
    struct recent *c, *next;
    HASH_ITER (hh, r->recent, c, next) {
        if (!all && r->now->now_ns - c->last_ns <= 120 * SECOND)
            continue;
        HASH_DEL(r->recent, c);
        free(c->key);
        free(c);
    }
}
