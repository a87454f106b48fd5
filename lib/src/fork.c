// A child of fork goes on with the forking thread's loop and tasks, in a table of its own (see table.c).
// What only the table knew (waits, totals) begins anew.
#include "fast.h"

#include <unistd.h>

static void show_again(struct task *t)
{
    struct ls_abi_task *s = t->slot;
    uint32_t seq = record_begin(&s->seq);
    s->loop = t->loop->index;
    s->id = (uint64_t)t->id;
    slot_set_state(s,
                   t->state == LS_ABI_RUNNING && t != t->loop->current ? LS_ABI_WAITING : t->state,
                   t->wait_kind, t->flags, SITE_UNKNOWN);
    s->parent = (uint64_t)t->parent_id;
    s->created_ns = (uint64_t)t->created_ns;
    s->deadline_ns = t->deadline ? (uint64_t)t->deadline->at_ns : 0;
    s->spawn_site = site_id(t->spawn_site);
    s->error = task_ended(t) && t->result < 0 ? (int32_t)t->result : 0;
    s->context = (uint64_t)(uintptr_t)&t->context;
    s->cancel_ns = cancel_requested(t) ? (uint64_t)t->cancel_ns : 0;
    if (t->name)
        memcpy(s->name, t->name, strlen(t->name)); // at most what fits: ls__task_name
    record_end(&s->seq, seq);
}

// What a slot keeps for the next task in it (take_slot).
static void prepare_again(const struct ls_loop *l, const struct slot_owner *owner,
                          struct ls_abi_task *s)
{
    if (!owner->task || l->stacks.poison || owner->task->slot != s)
        return;
    s->loop = l->index;
    s->context = (uint64_t)(uintptr_t)&owner->task->context;
}

static void show_all_again(const struct ls_loop *l)
{
    for (uint32_t i = 0; i < l->nchunks; i++)
        for (uint32_t slot = l->chunks[i]; slot < l->chunks[i] + TABLE_CHUNK; slot++) {
            const struct slot_owner *owner = &ls__table.owners[slot];
            if (owner->id > 0)
                show_again(owner->task);
            else
                prepare_again(l, owner, &ls__table.slots[slot]);
        }
}

void ls__loop_after_fork(void)
{
    struct ls_loop *l = ls__loop;
    if (!l)
        return;
    struct ls_abi_loop *r = l->record;
    uint32_t seq = record_begin(&r->seq);
    r->tid = gettid();
    r->current = l->current ? (uint64_t)l->current->id : 0;
    r->busy_since_ns = (uint64_t)l->busy_since_ns;
    r->address = (uint64_t)(uintptr_t)l->uv;
    r->flags = (l->debug ? LS_ABI_LOOP_DEBUG : 0) | (l->own_uv ? 0 : LS_ABI_LOOP_ATTACHED);
    r->stats_address = (uint64_t)(uintptr_t)l->stats;
    r->stats_size = sizeof(*l->stats);
    memcpy(r->name, l->name, sizeof(r->name));
    record_end(&r->seq, seq);
    ls__table.loop_taken[l->index] = true;
    show_all_again(l);
}
