#include "fd_tasks.h"

#include <stddef.h>

void fd_tasks_tell(struct fd_track *t, const struct proc *p)
{
    for (const struct live *l = p->live; l; l = l->next) {
        const struct ls_abi_header *h = &l->table.header;
        for (uint32_t i = 0; l->read_once && !l->refused && i < l->table.nloops; i++) {
            const struct ls_fd_tasks at = {
                .current = l->base + h->loops_offset + (uint64_t)i * h->loop_size +
                           offsetof(struct ls_abi_loop, current),
                .slots = l->base + h->slots_offset,
                .slot_size = h->slot_size,
                .slot_mask = (1u << LS_ABI_SLOT_BITS) - 1,
                .id_at = offsetof(struct ls_abi_task, id),
                .site_at = offsetof(struct ls_abi_task, spawn_site),
            };
            if (l->table.loops[i].tid > 0)
                fd_track_tasks(t, l->table.loops[i].tid, &at);
        }
    }
}

struct fd_task fd_task_of(const struct proc *p, const struct fd_slot *slot)
{
    struct fd_task t = {.id = slot->task, .site = slot->site};
    for (const struct live *l = p->live; t.id && l && !t.live; l = l->next)
        if (live_loop_of(&l->table, slot->tid) >= 0)
            t.live = l;
    return t;
}

bool fd_task_is_over(const struct fd_task *t, int64_t opened_ns)
{
    struct ls_abi_task now;
    if (!t->live || !t->id || t->live->refused || t->live->read_ns <= opened_ns)
        return false;
    const struct ls_abi_task *copy = live_task(&t->live->table, t->id);
    if (copy && !live_is_over(copy))
        return false;
    return !live_task_now(&t->live->table, t->id, &now) || live_is_over(&now);
}

static bool is_on_descriptor(const struct ls_abi_task *t)
{
    return t->wait >= LS_ABI_WAIT_READ && t->wait <= LS_ABI_WAIT_POLL;
}

bool fd_task_waits_on(const struct proc *p, int fd)
{
    for (const struct live *l = p->live; l; l = l->next)
        for (uint32_t i = 0; i < l->table.nslots; i++) {
            const struct ls_abi_task *t = &l->table.slots[i];
            if (live_counts(t) && t->state == LS_ABI_WAITING && is_on_descriptor(t) &&
                t->wait_object == (uint64_t)fd)
                return true;
        }
    return false;
}

bool fd_task_same_site(const struct fd_task *a, const struct fd_task *b)
{
    return a->live == b->live && a->site == b->site;
}

void fd_task_refer(const struct fd_task *t, struct snap *box, struct task_ref *ret)
{
    struct ls_abi_task now;
    if (!t->live || !t->id)
        return;
    ret->id = t->live->ordinal
                  ? snap_printf(box, "%llu/%d", (unsigned long long)t->id, t->live->ordinal + 1)
                  : snap_printf(box, "%llu", (unsigned long long)t->id);
    ret->spawn_site = live_site_text(&t->live->table, t->site, box);
    if (!live_task_now(&t->live->table, t->id, &now))
        now = (struct ls_abi_task){.spawn_site = t->site}; // gone: by what was spawned
    ret->name = live_name(&t->live->table, &now, box);
}
