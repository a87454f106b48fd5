// libuv's handles, by uprobes on its functions that make and end them: only when asked for, because each hit
// costs the program 0.5 to 15 us (as the probed instruction is). A handle is known by its address.
#ifndef LOOPSCOPE_BPF_FD_HANDLES_H
#define LOOPSCOPE_BPF_FD_HANDLES_H

#include "fd_events.bpf.h"

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 65536);
    __type(key, u64);
    __type(value, struct ls_handle);
} handles SEC(".maps"); // by address

static __always_inline void handle_ends(u64 address)
{
    struct ls_handle *h = bpf_map_lookup_elem(&handles, &address);
    if (!h)
        return;
    count_close((u64)h->key << LS_FD_KEY_SHIFT);
    bpf_map_delete_elem(&handles, &address);
}

// uv_timer_init(loop, handle) and its like; the cookie says which.
SEC("?uprobe/uv_init")
int on_handle_init(void *ctx)
{
    const struct ls_regs *regs = ctx;
    u64 pid_tgid = bpf_get_current_pid_tgid(), address = regs->si;
    struct ls_handle h = {.opened_ns = bpf_ktime_get_ns(), .tid = (u32)pid_tgid};
    struct task_struct *task = bpf_get_current_task_btf();
    if ((u32)task->tgid != target)
        return 0;
    h.type = bpf_get_attach_cookie(ctx);
    handle_ends(address); // its memory is another's now
    h.key = key_of(0, LS_HANDLE_CALL | h.type);
    if (!bpf_map_update_elem(&handles, &address, &h, BPF_ANY))
        count_open(h.key);
    return 0;
}

SEC("?uprobe/uv_close")
int on_handle_close(void *ctx)
{
    const struct ls_regs *regs = ctx;
    struct task_struct *task = bpf_get_current_task_btf();
    if ((u32)task->tgid == target)
        handle_ends(regs->di);
    return 0;
}

#endif
