// Which task opened a descriptor, of a program on the loopscope runtime: its loop's thread publishes the task
// that runs (loopscope/abi.h). Read at the opening, because a moment later it is another's turn, and with
// where it was spawned, because the task may be gone before anybody asks.
#ifndef LOOPSCOPE_BPF_FD_TASK_H
#define LOOPSCOPE_BPF_FD_TASK_H

#include "fd_key.bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __type(key, u32);
    __type(value, struct ls_fd_tasks);
} loops SEC(".maps"); // by tid

// key 0: nobody's opening.
static __always_inline void take_task(struct ls_fd_slot *slot, u32 key)
{
    u32 tid = (u32)bpf_get_current_pid_tgid(), site = 0;
    struct ls_fd_tasks *loop = key ? bpf_map_lookup_elem(&loops, &tid) : NULL;
    u64 id = loop ? read_user(loop->current, 0) : 0, owner = 0;
    if (id) {
        u64 at = loop->slots + (id & loop->slot_mask) * loop->slot_size;
        owner = read_user(at, loop->id_at);
        bpf_probe_read_user(&site, sizeof(site), (const void *)(at + loop->site_at));
    }
    slot->task = owner == id ? id : 0;
    slot->site = site;
}

#endif
