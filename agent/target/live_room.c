// Who waits for room in a group whose every task waits, in the end, for room in it too: in a program that is busy with
// other things, so that nothing shows but a few tasks that never go on.
//
// The table does not say which group a task is in, so all tasks in groups are taken for members: what is found then is
// certain, and where tasks of another group are at work nothing is said.
//
// All that wait for what only a task can give are taken for stuck at first; those that something can free are taken
// out, again and again, until nothing changes.
#include <stdlib.h>

#include "live_book.h"

#define ROUNDS_MAX 100

struct room {
    const struct live_book *b;
    const struct live_table *t;
    uint8_t *stuck, *has_stuck_child; // by slot
    bool group_moves;                 // a task in a group is not stuck
};

static bool lives(const struct ls_abi_task *s)
{
    return live_counts(s) && !live_is_over(s);
}

static bool is_parked(const struct ls_abi_task *s)
{
    return lives(s) && live_is_parked(s);
}

static bool waits_for_room(const struct ls_abi_task *s)
{
    return is_parked(s) && s->wait == LS_ABI_WAIT_LIMIT;
}

static bool may_be_stuck(const struct room *r, const struct ls_abi_task *s)
{
    if (!is_parked(s) || s->deadline_ns || s->flags & LS_ABI_CANCEL_REQUESTED)
        return false;
    return s->wait == LS_ABI_WAIT_LIMIT || s->wait == LS_ABI_WAIT_GROUP ||
           s->wait == LS_ABI_WAIT_CHILDREN || live_waits_for(r->b, r->t, s) != 0;
}

static bool can_go_on(const struct room *r, uint32_t i)
{
    const struct ls_abi_task *s = &r->t->slots[i];
    if (s->wait == LS_ABI_WAIT_LIMIT)
        return r->group_moves;
    if (s->wait == LS_ABI_WAIT_GROUP || s->wait == LS_ABI_WAIT_CHILDREN)
        return !r->has_stuck_child[i];
    uint64_t on = live_waits_for(r->b, r->t, s);
    return !on || !r->stuck[LS_ABI_SLOT_OF(on)];
}

static void look_at_groups(struct room *r)
{
    r->group_moves = false;
    for (uint32_t i = 0; i < r->t->nslots; i++)
        r->has_stuck_child[i] = 0;
    for (uint32_t i = 0; i < r->t->nslots; i++) {
        const struct ls_abi_task *s = &r->t->slots[i];
        if (!lives(s))
            continue;
        r->group_moves |= s->flags & LS_ABI_IN_GROUP && !r->stuck[i];
        if (r->stuck[i] && live_task(r->t, s->parent))
            r->has_stuck_child[LS_ABI_SLOT_OF(s->parent)] = 1;
    }
}

static bool settle(struct room *r)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool changed = false;
        look_at_groups(r);
        for (uint32_t i = 0; i < r->t->nslots; i++)
            if (r->stuck[i] && can_go_on(r, i)) {
                r->stuck[i] = 0;
                changed = true;
            }
        if (!changed)
            return true;
    }
    return false;
}

static bool anybody_waits_for_room(const struct live_table *t)
{
    for (uint32_t i = 0; i < t->nslots; i++)
        if (waits_for_room(&t->slots[i]))
            return true;
    return false;
}

void live_room_judge(struct live_book *b, const struct live_table *t)
{
    if (!anybody_waits_for_room(t))
        return;
    uint8_t *bytes = calloc(t->nslots, 2);
    if (!bytes)
        return;
    struct room r = {.b = b, .t = t, .stuck = bytes, .has_stuck_child = bytes + t->nslots};
    for (uint32_t i = 0; i < t->nslots; i++)
        r.stuck[i] = may_be_stuck(&r, &t->slots[i]);
    if (settle(&r))
        for (uint32_t i = 0; i < t->nslots; i++)
            if (r.stuck[i] && waits_for_room(&t->slots[i]))
                b->marks[i].flags |= TASKF_NO_WAKER;
    free(bytes);
}
