#include "fd_handles.h"

#include <stdlib.h>

#include "fd_openers.h"

struct looking {
    struct fd_book *b;
    int64_t now_ns;
};

static void entry_close(struct fd_book *b, struct handle_entry *e, int64_t now_ns)
{
    if (e->group)
        fd_closed(&b->clock, &e->life, now_ns);
    HASH_DEL(b->handles, e);
    free(e);
}

static struct handle_entry *entry_of(struct looking *l, const struct fd_handle *h)
{
    struct handle_entry *e;
    HASH_FIND(hh, l->b->handles, &h->address, sizeof(h->address), e);
    if (e && e->opened_ns != h->opened_ns) { // its memory is another's now
        entry_close(l->b, e, l->now_ns);
        e = NULL;
    }
    if (e)
        return e;
    e = calloc(1, sizeof(*e));
    if (!e)
        abort();
    e->address = h->address;
    e->opened_ns = h->opened_ns;
    HASH_ADD(hh, l->b->handles, address, sizeof(e->address), e);
    return e;
}

static void on_handle(void *arg, const struct fd_handle *h)
{
    struct looking *l = arg;
    struct handle_entry *e = entry_of(l, h);
    struct fd_place at = {.opened_ns = h->opened_ns, .began_ns = l->b->began_ns};
    e->round = l->b->round;
    if (e->group || fd_openers_of_handle(l->b->openers, h, &at) == FD_OPENER_PENDING)
        return;
    const char *note = at.stack && !at.user ? "no line: made by the runtime" : NULL;
    e->group = fd_group_of(l->b, h->type, at.stack, note, at.began_ns);
    e->group->handles = true;
    fd_opened(&e->group->site, &e->life, at.opened_ns, false);
}

void fd_handles_look(struct fd_book *b, int64_t now_ns)
{
    struct looking l = {b, now_ns};
    struct handle_entry *e, *next;
    b->handles_seen = b->openers && fd_openers_handles(b->openers, on_handle, &l);
    HASH_ITER (hh, b->handles, e, next)
        if (e->round != b->round)
            entry_close(b, e, now_ns);
}

void fd_handles_forget(struct fd_book *b)
{
    struct handle_entry *e, *next;
    HASH_ITER (hh, b->handles, e, next)
        entry_close(b, e, 0);
}
