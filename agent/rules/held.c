// Since when something has been so, seen from snapshot to snapshot: a condition that is not seen again in the
// next looks is forgotten.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

#define FORGET_NS (15 * SECOND)

struct held {
    UT_hash_handle hh;
    char *key;
    int64_t since_ns, last_ns;
};

int64_t rules_held_ns(struct rules *r, const struct rule *rule, int pid, const char *what)
{
    struct held *h;
    char *key = rules_key(rule, pid, 0, what);
    HASH_FIND_STR(r->held, key, h);
    if (h) {
        free(key);
    } else {
        if (!(h = calloc(1, sizeof(*h))))
            abort();
        h->key = key;
        h->since_ns = r->now->now_ns;
        HASH_ADD_KEYPTR(hh, r->held, h->key, strlen(h->key), h);
    }
    h->last_ns = r->now->now_ns;
    return h->last_ns - h->since_ns;
}

static void drop(struct rules *r, struct held *h)
{
    HASH_DEL(r->held, h);
    free(h->key);
    free(h);
}

void held_forget(struct rules *r, bool all)
{
    struct held *h, *next;
    HASH_ITER (hh, r->held, h, next)
        if (all || r->now->now_ns - h->last_ns > FORGET_NS)
            drop(r, h);
}
